"""Flows of pods, and of the host to the outside, that are not answered: questions that can be asked elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.traffic.names import ClusterDns, UpstreamAnswers
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.facts.traffic.reach import NODE, POD, Reach
from netdoctor.facts.traffic.service_reach import KINDS, ServiceReach
from netdoctor.facts.traffic.udp_services import UdpServices
from netdoctor.facts.traffic.vantage import HOST, VantagePoint, VantagePoints
from netdoctor.system import route_lookup
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.addresses import Addresses
from netdoctor.twin.asked import Asked
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.state import State
from netdoctor.twin.twin import NAME, question
from netdoctor.twin.twin import NODE as HERE

OUTSIDE, CLUSTER_DNS, POSTGRES, HOST_TO_OUTSIDE = "outside", "cluster DNS", "Postgres", "host to outside"
MOST = 7  # one of each kind
TEST_POD = "test pod"


@dataclass(frozen=True, slots=True)
class FailedFlow:
    """A question of a pod's that was not answered, and how it ended."""

    name: str  # as evidence names it
    kind: str
    pod: str  # namespace/name, or "node"
    netns: str
    source: str
    destination: str
    protocol: str
    port: int
    reply: Reply
    question: str = NAME  # what DNS was asked for; "": an empty datagram was sent

    def ask(self, seconds: float) -> Callable[[], Reply]:
        """The question, to be asked in the pod's namespace."""
        return question(self.destination, self.protocol, self.port, seconds, name=self.question)

    def in_copies(self, state: State, cluster: Addresses) -> Asked:
        """The same question, to be asked in copies of this state. Raises CannotRead where they lack one of its ends."""
        flow = flow_of(self.pod, self.destination, self.protocol, self.port, state, cluster)
        return Asked(self.name, replace(flow, name=self.question), self.reply)


@dataclass(frozen=True, slots=True)
class FailedFlows:
    """flows that are not answered"""

    derived: ClassVar[bool] = True
    items: tuple[FailedFlow, ...]
    asked: bool  # whether any pod could be asked at all
    pods: tuple[tuple[str, tuple[str, ...]], ...] = ()  # namespace/name of each that fails, and the kinds that do

    @classmethod
    def collect(
        cls,
        points: VantagePoints,
        reach: Reach,
        answers: UpstreamAnswers | CannotRead,
        names: ClusterDns | CannotRead,
        postgres: Postgres | CannotRead,
        by_services: ServiceReach | CannotRead,
        over_udp: UdpServices | CannotRead,
    ) -> FailedFlows:
        """The first of each kind; nothing is asked for it."""
        by_name = {p.name: p for p in points.points}
        found: dict[str, FailedFlow] = {}
        flows = [*_failed(reach, answers, names, postgres, by_services), *_of_udp(over_udp)]
        flows.sort(key=_most_telling_first)
        for flow, vantage in flows:
            point: VantagePoint | None = by_name.get(vantage)
            if point is None or flow.kind in found:
                continue
            source = point.address_towards(flow.destination) or point.address
            found[flow.kind] = FailedFlow(
                name=flow.name,
                kind=flow.kind,
                pod=_namespace(point),
                netns=point.netns,
                source=source,
                destination=flow.destination,
                protocol=flow.protocol,
                port=flow.port,
                reply=flow.reply,
                question=flow.question,
            )
        return cls(tuple(found.values())[:MOST], bool(reach.flows), _pods_of(flows, by_name))


def _most_telling_first(found: tuple[_Failed, str]) -> tuple[bool, bool, bool, bool]:
    """Where a failed flow and who asked it stand among the others.

    What all else rests on comes first. A rejection tells more than another ICMP error, and that more than silence: such
    errors are rationed, most of all for CoreDNS, which asks on and on. A pod that stays can be asked again after the
    test pod has gone.
    """
    flow, vantage = found
    return flow.kind in KINDS, flow.reply.answer is not Answer.PROHIBITED, not flow.reply.icmp, vantage == TEST_POD


def _pods_of(
    flows: list[tuple[_Failed, str]], by_name: dict[str, VantagePoint]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The pods that asked these questions, each once, with the kinds of its questions."""
    kinds: dict[str, dict[str, None]] = {}
    for flow, vantage in flows:
        point = by_name.get(vantage)
        if point and point.kind != HOST:
            kinds.setdefault(_namespace(point), {})[flow.kind] = None
    return tuple((pod, tuple(found)) for pod, found in kinds.items())


def _namespace(point: VantagePoint) -> str:
    return HERE if point.kind == HOST else f"{point.namespace}/{point.pod}"


@dataclass(frozen=True, slots=True)
class _Failed:
    name: str
    kind: str
    destination: str
    protocol: str
    port: int
    reply: Reply
    question: str = NAME


def _failed(
    reach: Reach,
    answers: UpstreamAnswers | CannotRead,
    names: ClusterDns | CannotRead,
    postgres: Postgres | CannotRead,
    by_services: ServiceReach | CannotRead,
) -> Iterator[tuple[_Failed, str]]:
    """Each failed flow with its vantage point's name."""
    yield from _of_reach(reach)
    if not isinstance(by_services, CannotRead):
        yield from _of_services(by_services)
    if not isinstance(answers, CannotRead):
        yield from _of_upstreams(answers)
    if not isinstance(names, CannotRead):
        yield from _of_names(names)
    if not isinstance(postgres, CannotRead):
        yield from _of_postgres(postgres)


def _of_reach(reach: Reach) -> Iterator[tuple[_Failed, str]]:
    for flow in reach.flows:
        if not flow.reply.arrived and flow.vantage != HOST:
            yield _Failed(str(flow), flow.kind, flow.address, "tcp", flow.port, flow.reply), flow.vantage


def _of_services(reach: ServiceReach) -> Iterator[tuple[_Failed, str]]:
    for flow in reach.flows:
        if not flow.reply.arrived:
            yield _Failed(str(flow), flow.kind, flow.address, "tcp", flow.port, flow.reply), flow.vantage


def _of_udp(services: UdpServices | CannotRead) -> Iterator[tuple[_Failed, str]]:
    """Datagrams to Services that were lost on this node."""
    for flow in () if isinstance(services, CannotRead) else services.flows:
        if not flow.reply.arrived:
            by_port = flow.reply.icmp.startswith(("3/3 ", "1/4 "))  # in a copy nothing tells who refused it
            reply = replace(flow.reply, answer=Answer.REFUSED) if by_port else flow.reply
            yield _Failed(str(flow), flow.kind, flow.address, "udp", flow.port, reply, ""), flow.vantage


def _of_names(names: ClusterDns) -> Iterator[tuple[_Failed, str]]:
    for asked in names.lookups:
        if asked.vantage != HOST and not asked.reply.answered:
            failed = _Failed(str(asked), CLUSTER_DNS, asked.server, asked.transport, 53, asked.reply, asked.name)
            yield failed, asked.vantage


def _of_postgres(postgres: Postgres) -> Iterator[tuple[_Failed, str]]:
    for step in postgres.of(TCP):
        if not step.ok and step.reply:
            name = f"{step.vantage} -> {step.service}"
            yield _Failed(name, POSTGRES, step.address, "tcp", step.port, step.reply), step.vantage


def _of_upstreams(answers: UpstreamAnswers) -> Iterator[tuple[_Failed, str]]:
    """Pods' questions that the host got an answer to, and the host's own."""
    alive = {(x.upstream, x.transport) for x in answers.from_host() if x.reply.answered}
    for x in answers.lookups:
        own = x.vantage == HOST
        if not x.reply.answered and (x.transport == "udp" if own else (x.upstream, x.transport) in alive):
            kind = HOST_TO_OUTSIDE if own else OUTSIDE
            yield _Failed(str(x), kind, x.upstream.address, x.transport, x.upstream.port, x.reply), x.vantage


def refused_by_routing(host: Host, flow: FailedFlow, bridge: str) -> str:
    """What the kernel's routing says to a packet of this flow that comes in from the bridge; "" if it has a route.

    Routing never sees a ClusterIP: by then it has been translated.
    """
    if not bridge or flow.kind not in (OUTSIDE, POD, NODE) or (":" in flow.source) != (":" in flow.destination):
        return ""
    return route_lookup.refused(host, flow.destination, flow.source, bridge)
