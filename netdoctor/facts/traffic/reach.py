"""Which way packets get through: to another pod, to this node, to a ClusterIP, from every vantage point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.forbidden import AskedConnection, Forbidden
from netdoctor.facts.traffic.vantage import NEW, OLD, VantagePoint, VantagePoints, pod_of
from netdoctor.model import Evidence
from netdoctor.system.traffic import Reply, ask_all, ask_tcp
from netdoctor.values import Values

SECONDS = 1.2  # longer than the first SYN's retransmission (1 s): one lost packet is no finding
POD, NODE, CLUSTER_IP = "pod", "node", "ClusterIP"
KUBELET_PORT = 10250
UNUSED_PORT = 9  # discard: nobody listens, and the refusal shows that the packet arrived


@dataclass(frozen=True, slots=True)
class AskedFlow:
    """One question: from where, to what, and the reply."""

    vantage: str
    kind: str  # POD, NODE, CLUSTER_IP, or one of service_reach's or udp_services'
    target: str  # in words
    address: str
    port: int
    reply: Reply
    protocol: str = "tcp"

    def __str__(self) -> str:
        """As evidence names it: `pod default/client -> 10.96.0.10:53`."""
        return f"{self.vantage} -> {self.address}:{self.port}"

    def evidence(self, expected: str) -> Evidence:
        """How it ended, as evidence."""
        pod, answer = pod_of(self.vantage), str(self.reply.answer)
        data = Values(pod=pod, address=self.address, port=self.port, protocol=self.protocol, answer=answer)
        return Evidence(str(self), str(self.reply), expected, data)


@dataclass(frozen=True, slots=True)
class Reach:
    """answers from pods, the node and ClusterIPs"""

    flows: tuple[AskedFlow, ...]

    @classmethod
    def collect(
        cls,
        points: VantagePoints,
        this: ThisNode,
        services: Services | CannotRead,
        endpoints: EndpointSlices | CannotRead,
        forbidden: Forbidden,
    ) -> Reach:
        """Ask everything at once, each question on a connection of its own.

        What is lost as NetworkPolicies want it is left out.
        """
        known = None if isinstance(services, CannotRead) else services
        slices = None if isinstance(endpoints, CannotRead) else endpoints
        questions = list(_questions(points, this, known, slices))
        flows = ask_each(questions)
        asked = [
            AskedConnection(question.point, flow.address, flow.protocol, flow.port, flow.reply.arrived)
            for question, flow in zip(questions, flows, strict=True)
        ]
        on_purpose = forbidden.on_purpose(asked)
        return cls(tuple(flow for flow, is_lost_so in zip(flows, on_purpose, strict=True) if not is_lost_so))

    def of(self, kind: str) -> tuple[AskedFlow, ...]:
        """The flows to this kind of target."""
        return tuple(flow for flow in self.flows if flow.kind == kind)


def _ask(address: str, port: int) -> Callable[[], Reply]:
    return lambda: ask_tcp(address, port, SECONDS)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: from where, and the fields of its AskedFlow."""

    point: VantagePoint
    kind: str
    target: str
    address: str
    port: int


def ask_each(questions: Iterable[Question]) -> tuple[AskedFlow, ...]:
    """Ask everything at once, each question on a connection of its own."""
    asked = list(questions)
    replies = ask_all([(q.point.netns, _ask(q.address, q.port)) for q in asked], SECONDS)
    return tuple(
        AskedFlow(q.point.name, q.kind, q.target, q.address, q.port, reply)
        for q, reply in zip(asked, replies, strict=True)
    )


def _questions(
    points: VantagePoints, this: ThisNode, services: Services | None, endpoints: EndpointSlices | None
) -> Iterator[Question]:
    others = [p for p in points.pods if p.kind == NEW] + [p for p in points.pods if p.kind == OLD][:2]
    for point in points.pods:
        yield from _to_pods(point, others)
        for address in this.addresses[:1]:
            yield Question(point, NODE, f"node {this.name}", address, KUBELET_PORT)
    for service, port in cluster_ips(services, endpoints):
        own = {e.address for e in endpoints.ready(service)} if endpoints else None
        for point in points.points:
            if not _is_behind(point, own):
                yield Question(point, CLUSTER_IP, f"Service {service}", service.cluster_ip, port)


def _to_pods(point: VantagePoint, others: list[VantagePoint]) -> Iterator[Question]:
    for other in others:
        if other is not point:
            port = 53 if other.is_coredns else UNUSED_PORT
            yield Question(point, POD, other.name, other.address, port)


def _is_behind(point: VantagePoint, endpoints: set[str] | None) -> bool:
    """Whether a pod would ask itself by a ClusterIP, which needs a hairpin: another question.

    `endpoints`: the addresses behind the ClusterIP, None where they are not known; then CoreDNS may be one of them.
    """
    if point.kind != OLD:
        return False
    return point.is_coredns if endpoints is None else point.address in endpoints


def cluster_ips(services: Services | None, endpoints: EndpointSlices | None) -> Iterator[tuple[Service, int]]:
    """The Services to ask by ClusterIP, with a TCP port: the API server's and the cluster DNS.

    One without a ready endpoint is left out: its refusal is right.
    """
    if services is None:
        return
    for service in (services.named("default", "kubernetes"), services.cluster_dns):
        if service is None or (endpoints and not endpoints.ready(service)):
            continue
        port = next((p.port for p in service.ports if p.protocol == "TCP"), 0)
        if port:
            yield service, port
