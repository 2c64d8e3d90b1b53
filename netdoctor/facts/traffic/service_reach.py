"""More flows: of a pod to itself by its Service, to NodePorts, hostPorts and Services, and of the node to its pods.

They are a sample: one question for each kind of Service and of port, not one for each. What a NetworkPolicy may forbid
is not asked, since it would fail on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import HostPort, Pod, Pods
from netdoctor.facts.gateways.network_policies import EGRESS, INGRESS, NetworkPolicies, Place
from netdoctor.facts.traffic.forbidden import place_of
from netdoctor.facts.traffic.reach import UNUSED_PORT, AskedFlow, Question, ask_each
from netdoctor.facts.traffic.vantage import HOST, NEW, OLD, VantagePoint, VantagePoints
from netdoctor.model import Confidence, Finding, Subject
from netdoctor.system.traffic import Answer

ITSELF, NODE_PORT, HOST_PORT = "itself by its Service", "NodePort", "hostPort"
SERVICE, UDP_SERVICE, IPV6_SERVICE, FROM_NODE = "Service", "Service over UDP", "Service over IPv6", "node to pod"
KINDS = (FROM_NODE, SERVICE, UDP_SERVICE, IPV6_SERVICE, NODE_PORT, HOST_PORT, ITSELF)
THEMSELVES = 3  # pods that ask themselves
OF_A_KIND = 2  # Services of each kind, NodePorts, hostPorts


@dataclass(frozen=True, slots=True)
class ServiceReach:
    """answers of NodePorts, hostPorts, Services, and of pods to themselves and to the node"""

    added_later: ClassVar[bool] = True

    flows: tuple[AskedFlow, ...]

    @classmethod
    def collect(
        cls,
        points: VantagePoints,
        this: ThisNode,
        services: Services | CannotRead,
        endpoints: EndpointSlices | CannotRead,
        pods: Pods | CannotRead,
        policies: NetworkPolicies | CannotRead,
    ) -> ServiceReach:
        """Ask everything at once, each question on a connection of its own; nothing that needs what is not known."""
        return cls(ask_each(questions(points, this, services, endpoints, pods, policies)))

    def of(self, kind: str) -> tuple[AskedFlow, ...]:
        """The flows to this kind of target."""
        return tuple(flow for flow in self.flows if flow.kind == kind)

    def lost_before(self, kind: str) -> list[AskedFlow]:
        """The flows of this kind that were not accepted, but for refusals by a pod that does not accept any."""
        accepting = {flow.target for flow in self.of(FROM_NODE) if flow.reply.answer is Answer.OK}
        refused = [flow for flow in self.of(kind) if flow.reply.answer is Answer.REFUSED and flow.target in accepting]
        return [flow for flow in self.of(kind) if not flow.reply.arrived or flow in refused]


def ports_not_accepted(reach: ServiceReach, kind: str, node: str) -> Iterator[Finding]:
    """A finding where connections to ports of the node, NODE_PORT or HOST_PORT, are lost before their pods."""
    failed = reach.lost_before(kind)
    if failed:
        names = ", ".join(dict.fromkeys(f"{flow.target} at {flow.port}" for flow in failed))
        yield Finding(
            f"{len(failed)} of {len(reach.of(kind))} connections to {kind}s are not accepted ({names})",
            tuple(flow.evidence("connected") for flow in failed[:3]),
            Subject(node=node),
            confidence=Confidence.CONFIRMED,
        )


def questions(
    points: VantagePoints,
    this: ThisNode,
    services: Services | CannotRead,
    endpoints: EndpointSlices | CannotRead,
    pods: Pods | CannotRead,
    policies: NetworkPolicies | CannotRead,
) -> Iterator[Question]:
    """What is to be asked on a node that is like this."""
    yield from _from_node(points)
    if isinstance(pods, CannotRead):
        return
    known = _Known.of(points, this, pods, policies)
    yield from _host_ports(known)
    if not isinstance(services, CannotRead) and not isinstance(endpoints, CannotRead):
        yield from _by_services(known, services, endpoints)


@dataclass(frozen=True, slots=True)
class _Known:
    """Who can ask, which pods there are, and what may be forbidden."""

    points: VantagePoints
    this: ThisNode
    pods: Pods
    by_address: Mapping[str, Pod]
    policies: NetworkPolicies

    @classmethod
    def of(cls, points: VantagePoints, this: ThisNode, pods: Pods, policies: NetworkPolicies | CannotRead) -> _Known:
        """With the pods by their addresses; of two with the same address the first."""
        by_address = {address: pod for pod in reversed(pods.items) for address in pod.addresses}
        known = NetworkPolicies((), {}) if isinstance(policies, CannotRead) else policies
        return cls(points, this, pods, by_address, known)

    @property
    def host(self) -> VantagePoint | None:
        """This host, as a place to ask from."""
        return next((point for point in self.points.points if point.kind == HOST), None)

    @property
    def new(self) -> VantagePoint | None:
        """The test pod, where there is one and no policy keeps it in."""
        found = next((point for point in self.points.points if point.kind == NEW), None)
        return None if found and self.is_isolated(place_of(found), EGRESS) else found

    def older(self, others_than: set[str]) -> VantagePoint | None:
        """A pod that was there before and that no policy keeps in, at none of these addresses."""
        old = [point for point in self.points.points if point.kind == OLD and not point.is_coredns]
        others = [point for point in old if point.address not in others_than]
        return next((point for point in others if not self.is_isolated(place_of(point), EGRESS)), None)

    def nodes_of(self, ends: Iterable[Endpoint]) -> frozenset[str]:
        """The nodes that these endpoints' pods are on."""
        return frozenset(self.by_address[end.address].node for end in ends if end.address in self.by_address)

    def is_isolated(self, place: Place, direction: str) -> bool:
        """Whether a NetworkPolicy restricts this pod in this direction."""
        return bool(self.policies.isolating(place, direction))

    def may_be_asked(self, address: str) -> bool:
        """Whether a pod has this address, and no policy restricts who may ask it."""
        pod = self.by_address.get(address)
        return pod is not None and not self.is_isolated(Place(pod.name, address, pod.namespace, pod.labels), INGRESS)


def _from_node(points: VantagePoints) -> Iterator[Question]:
    """The node asks each pod, as the kubelet's probes do; policies never apply to it."""
    host = next((point for point in points.points if point.kind == HOST), None)
    if host is None:
        return
    for point in points.pods:
        port = 53 if point.is_coredns else UNUSED_PORT
        yield Question(host, FROM_NODE, point.name, point.address, port)


def _host_ports(known: _Known) -> Iterator[Question]:
    """Some hostPorts of this node's pods, from the node and from the test pod."""
    if not known.this.addresses:
        return
    published = [(pod, port) for pod in known.pods.items for port in _published(pod, known)]
    for pod, port in published[:OF_A_KIND]:
        address = port.address or known.this.addresses[0]
        name = f"pod {pod.namespace}/{pod.name}"
        outside_own = [] if address.startswith("127.") else [known.new]
        for point in (known.host, *outside_own):
            if point:
                yield Question(point, HOST_PORT, name, address, port.number)
        if known.host:
            yield Question(known.host, FROM_NODE, name, pod.addresses[0], port.container_port)


def _published(pod: Pod, known: _Known) -> Iterator[HostPort]:
    """The TCP ports of the node that the CNI leads to a ready pod of it."""
    here = pod.node == known.this.name and pod.ready and not pod.host_network and not pod.leaving
    if here and pod.addresses and known.may_be_asked(pod.addresses[0]):
        yield from (port for port in pod.host_ports if port.protocol == "TCP" and ":" not in port.address)


def udp_questions(
    points: VantagePoints,
    this: ThisNode,
    services: Services,
    endpoints: EndpointSlices,
    pods: Pods,
    policies: NetworkPolicies | CannotRead,
) -> Iterator[Question]:
    """The same by Services that have UDP ports and no TCP port, from pods."""
    alone = replace(services, items=tuple(each for each in services.items if not _port_of(each, "TCP")))
    known = _Known.of(points, this, pods, policies)
    yield from _others(known, _open_to_all(known, alone, endpoints, "UDP"), UDP_SERVICE)


def _by_services(known: _Known, services: Services, endpoints: EndpointSlices) -> Iterator[Question]:
    """By the Services whose ready endpoints are pods that anybody may ask."""
    found = _open_to_all(known, services, endpoints, "TCP")
    yield from _themselves(known, found)
    yield from _node_ports(known, found)
    asked_elsewhere = [services.named("default", "kubernetes"), services.cluster_dns, *services.postgres]
    yield from _others(known, [each for each in found if each.service not in asked_elsewhere], SERVICE)
    yield from _by_second_address(known, services, endpoints)


def _by_second_address(known: _Known, services: Services, endpoints: EndpointSlices) -> Iterator[Question]:
    """By the IPv6 addresses of Services that have both families, from pods that have one too."""
    both = tuple(each.in_second_family() for each in services.items if ":" in each.second_ip)
    if not both:
        return
    able = tuple(point for point in known.points.points if point.address_towards("::"))
    asking = replace(known, points=replace(known.points, points=able))
    found = _open_to_all(known, replace(services, items=both), endpoints, "TCP", ipv6=True)
    yield from _others(asking, found, IPV6_SERVICE)


def _port_of(service: Service, protocol: str) -> ServicePort | None:
    """Its first port of this protocol."""
    return next((port for port in service.ports if port.protocol == protocol), None)


def _open_to_all(
    known: _Known, services: Services, endpoints: EndpointSlices, protocol: str, *, ipv6: bool = False
) -> list[_Asked]:
    """The Services with a port of this protocol whose ready endpoints are pods that anybody may ask."""
    found = []
    for service in services.items:
        port = _port_of(service, protocol)
        if port is None or service.other_proxy or (":" in service.cluster_ip) is not ipv6:
            continue
        ends = endpoints.behind(service, port)
        if ends and all(known.may_be_asked(end.address) for end in ends):
            found.append(_Asked(service, port, ends, known.nodes_of(ends)))
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """A Service, one of its ports, the ready endpoints of that port, and the nodes that they are on."""

    service: Service
    port: ServicePort
    ends: tuple[Endpoint, ...]
    nodes: frozenset[str]

    @property
    def addresses(self) -> set[str]:
        """Where its endpoints are."""
        return {end.address for end in self.ends}


def _themselves(known: _Known, found: list[_Asked]) -> Iterator[Question]:
    """Pods that are the only endpoint of a Service ask it: with another one the answer could be that one's."""
    asked = 0
    for point in known.points.points:
        own = next((each for each in found if each.addresses == {point.address}), None)
        if point.kind == OLD and own and asked < THEMSELVES and not known.is_isolated(place_of(point), EGRESS):
            asked += 1
            yield Question(point, ITSELF, f"Service {own.service}", own.service.cluster_ip, own.port.port)


def _node_ports(known: _Known, found: list[_Asked]) -> Iterator[Question]:
    """Some NodePorts whose endpoints are all here, from the node and from the test pod."""
    here = {known.this.name}
    open_here = [each for each in found if each.port.node_port and each.nodes == here]
    for each in open_here[:OF_A_KIND] if known.this.addresses else ():
        for point in (known.host, known.new):
            if point:
                yield Question(
                    point, NODE_PORT, f"Service {each.service}", known.this.addresses[0], each.port.node_port
                )
        if known.host:
            end = each.ends[0]
            yield Question(known.host, FROM_NODE, f"Service {each.service}", end.address, end.port)


def _others(known: _Known, found: list[_Asked], kind_of_flow: str) -> Iterator[Question]:
    """Some Services of each kind, from the test pod and from an older one that is not behind them."""
    counted: dict[tuple[object, ...], int] = {}
    for each in found:
        is_here = known.this.name in each.nodes
        if each.service.node_local and not is_here:  # kube-proxy drops this on purpose
            continue
        kind = (each.service.kind, is_here, len(each.nodes) > 1, each.port.port == each.ends[0].port)
        counted[kind] = counted.get(kind, 0) + 1
        if counted[kind] > OF_A_KIND:
            continue
        for point in (known.new, known.older(each.addresses)):
            if point:
                yield Question(point, kind_of_flow, f"Service {each.service}", each.service.cluster_ip, each.port.port)
