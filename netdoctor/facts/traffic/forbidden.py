"""Which connections of pods NetworkPolicies forbid, by the objects: a lost one of these is as somebody wants it.

Whether an engine enforces the policies is not known beforehand, so everything is asked, and only what is lost is held
against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.network_policies import EGRESS, INGRESS, NetworkPolicies, Place
from netdoctor.facts.traffic.vantage import HOST, NEW, VantagePoint, VantagePoints
from netdoctor.system.traffic import Reply


class AskedStep(Protocol):
    """A connection over TCP, or a step before it."""

    @property
    def vantage(self) -> str:
        """Who asked."""

    @property
    def address(self) -> str:
        """Whom."""

    @property
    def port(self) -> int:
        """At which port."""

    @property
    def reply(self) -> Reply | None:
        """How it ended; None for a step before it."""


class AskedConnection(NamedTuple):
    """A connection that was asked for, and whether an answer came."""

    point: VantagePoint
    address: str
    protocol: str
    port: int
    answered: bool


S = TypeVar("S", bound=AskedStep)
TCP = "tcp"


def place_of(point: VantagePoint) -> Place:
    """Where a connection from this point begins, as a policy sees it."""
    return Place(point.name, point.address, point.namespace, dict(point.labels))


class Forbidden:
    """what NetworkPolicies forbid"""

    # not a dataclass: a recording holds what was asked, and does not need this again

    def __init__(
        self,
        policies: NetworkPolicies | None,
        places: Mapping[str, Place],
        services: Mapping[str, Service],
        endpoints: EndpointSlices,
        of_nodes: frozenset[str],
    ) -> None:
        """Without `policies` nothing is forbidden. `places`: pods by address; `services`: by ClusterIP.

        `of_nodes`: addresses of nodes that have pods in their own network.
        """
        self.policies = policies
        self.places = places
        self.services = services
        self.endpoints = endpoints
        self.of_nodes = of_nodes

    @classmethod
    def collect(
        cls,
        policies: NetworkPolicies | CannotRead,
        pods: Pods | CannotRead,
        services: Services | CannotRead,
        endpoints: EndpointSlices | CannotRead,
    ) -> Forbidden:
        """Hold them together. What cannot be read forbids nothing."""
        known = None if isinstance(policies, CannotRead) or not policies.items else policies
        places, of_nodes = {}, set[str]()
        for pod in () if isinstance(pods, CannotRead) else pods.items:
            if pod.host_network:  # policies are not about a node's own network
                of_nodes.update(pod.addresses)
                continue
            for address in pod.addresses:
                places[address] = Place(f"{pod.namespace}/{pod.name}", address, pod.namespace, pod.labels, pod.ports)
        of_services = () if isinstance(services, CannotRead) else services.items
        ends = EndpointSlices({}) if isinstance(endpoints, CannotRead) else endpoints
        by_address = {service.cluster_ip: service for service in of_services}
        return cls(known, places, by_address, ends, frozenset(of_nodes))

    def keeps(self, point: VantagePoint, address: str, protocol: str, port: int) -> bool:
        """Whether no policy lets this pod ask there, whichever pod of a Service it would come to."""
        if self.policies is None or point.kind == HOST:
            return False
        targets = self._targets(address, protocol, port)
        source = place_of(point)
        return bool(targets) and not any(
            self.policies.allows(source, place, protocol.upper(), number)[0] for place, number in targets
        )

    def on_purpose(self, asked: Sequence[AskedConnection]) -> list[bool]:
        """Whether each connection is lost because policies forbid it.

        None is, where one that they forbid is answered by another pod or from outside: then nobody enforces them.
        What a node answers says nothing of that: engines differ in whether policies hold there. Nor does what a new pod
        gets: an engine follows a moment later.
        """
        kept = [self.keeps(each.point, each.address, each.protocol, each.port) for each in asked]
        for each, is_kept in zip(asked, kept, strict=True):
            if is_kept and each.answered and each.point.kind != NEW and not self._comes_to_a_node(each):
                return [False] * len(asked)
        return [is_kept and not each.answered for each, is_kept in zip(asked, kept, strict=True)]

    def _comes_to_a_node(self, asked: AskedConnection) -> bool:
        targets = self._targets(asked.address, asked.protocol, asked.port)
        return any(place.address in self.of_nodes for place, _ in targets)

    def lets(self, point: VantagePoint, address: str, protocol: str, port: int) -> bool:
        """Whether policies that restrict one of the two ends let this pod ask there: somebody has thought of it."""
        if self.policies is None or point.kind == HOST or self.keeps(point, address, protocol, port):
            return False
        targets = [place for place, _ in self._targets(address, protocol, port)]
        restricted = [(place_of(point), EGRESS), *((place, INGRESS) for place in targets)]
        return any(self.policies.isolating(place, direction) for place, direction in restricted)

    def without_intended(self, steps: list[S], points: VantagePoints) -> list[S]:
        """The steps without lost connections of pods that are kept out while others of their namespace are let in."""
        let_in, found = set(), []
        for step in steps:
            point = points.named(step.vantage)
            if step.reply and step.reply.arrived and self.lets(point, step.address, TCP, step.port):
                let_in.add(point.namespace)
        for step in steps:
            point = points.named(step.vantage)
            is_lost = step.reply is not None and not step.reply.arrived
            if not (is_lost and point.namespace in let_in and self.keeps(point, step.address, TCP, step.port)):
                found.append(step)
        return found

    def _targets(self, address: str, protocol: str, port: int) -> list[tuple[Place, int]]:
        """Where a policy sees the connection end: behind a ClusterIP, the pods."""
        service = self.services.get(address)
        if service is None:
            return [(self._place(address), port)]
        own = next((p for p in service.ports if (p.protocol, p.port) == (protocol.upper(), port)), None)
        ends = self.endpoints.behind(service, own) if own else ()
        return [(self._place(end.address), end.port) for end in ends]

    def _place(self, address: str) -> Place:
        return self.places.get(address, Place(address, address))
