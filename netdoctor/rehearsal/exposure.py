"""What can be reached from outside and from a pod: listening sockets of the node and of its pods, and Services."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import zip_longest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.model import Access
from netdoctor.system.traffic import Answer
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.build import build
from netdoctor.twin.needed_ports import needed_by_pods
from netdoctor.twin.state import Listener, NetworkState, State
from netdoctor.twin.strangers import FAR, neighbour, stranger, uplink_address, uplink_addresses
from netdoctor.twin.twin import OUTSIDE, Flow, Twin
from netdoctor.twin.wire import conntrack
from netdoctor.twin.wire.rtnl import Address

SECONDS = 0.1  # of silence, for all of them at once
SURE = 0.5  # of silence where one copy answers and the other does not: it may be the processor that was taken
CERTAIN = 2.0  # of silence before a way is called closed: that refuses a repair
MOST = 64  # flows of one class
SPECIAL = (5353, 546, 68)  # mDNS, DHCP: they answer nobody
RESOLVER = "8.8.8.8"
OF_PEOPLE = (Access.PERSON, Access.CONNECTED)
TO_A_SOCKET = (*OF_PEOPLE, Access.NAMED_SOURCE)


@dataclass(frozen=True, slots=True)
class ExposedFlow:
    """One way in: of which class, and the flow that tries it."""

    kind: Access
    flow: Flow
    who: str = ""  # in words, where the flow's own source does not say it

    def __str__(self) -> str:
        """As a matrix names it."""
        flow = self.flow
        return f"{self.who or flow.source} -> {at(flow.destination, flow.port)}/{flow.protocol}"


def ways(
    state: State, cluster: ClusterAddresses, asking: Sequence[str] = (), *, far: bool = False
) -> list[ExposedFlow]:
    """The ways that are tried, the first of each class; `asking`: pods to ask from, if there are such.

    `far`: the node is asked by somebody in another network too.
    """
    by_kind: dict[Access, list[ExposedFlow]] = {}
    pods = [pod.name for pod in state.pods]
    others = sorted(pods, key=lambda name: name.startswith("kube-system/"))
    for way in _all(state, cluster, list(dict.fromkeys([*(x for x in asking if x in pods), *others])), far):
        by_kind.setdefault(way.kind, []).append(way)
    return [way for several in by_kind.values() for way in several[:MOST]]


def compared(before: Twin, after: Twin, tried: list[ExposedFlow]) -> tuple[set[ExposedFlow], set[ExposedFlow]]:
    """The ways that are open in the first twin, and those that are open in the second one.

    Silence is believed when it lasts: a way that is open and was not heard could be closed by a repair unseen.
    """
    old, silent = _open(before, tried, SECONDS)
    old |= _open(before, silent, SURE)[0]
    lost = [way for way in tried if way not in old and way.kind in OF_PEOPLE]
    old |= _open(before, lost, CERTAIN)[0]
    new, _ = _open(after, tried, SECONDS)
    for seconds in (SURE, CERTAIN):
        new |= _open(after, [way for way in tried if way in old - new], seconds)[0]
    old |= _open(before, [way for way in tried if way in new - old], SURE)[0]
    return old, new


def open_in_another_copy(state: State, lost: list[ExposedFlow], make: Callable[[Twin], object]) -> set[ExposedFlow]:
    """Of the ways that are lost in a copy, those that are open in a fresh one in which the same is made.

    Rules give each copy the same verdict; a way lost in one alone is the copy's mistake, and would refuse a repair.
    """
    with closing(build(state)) as another:
        make(another)
        return _open(another, lost, CERTAIN)[0]


def led_away(before: Twin, after: Twin, both: set[ExposedFlow], cluster: ClusterAddresses) -> set[ExposedFlow]:
    """The ways open in both that the node itself answers in the first one, and somebody else in the second.

    A NodePort has its end in a pod, whatever holds its place on the node: it counts only for those who are connected.
    """
    node_ports = {*cluster.node_ports}
    taken = _led_to_others(after) - _led_to_others(before)
    asked = [way for way in both if way.kind in (*TO_A_SOCKET, Access.OUTSIDE_TO_NODE)]
    return {
        way
        for way in asked
        if (way.flow.protocol, way.flow.source_address, way.flow.destination, way.flow.port) in taken
        and (way.kind in OF_PEOPLE or (way.flow.port, way.flow.protocol) not in node_ports)
    }


def _led_to_others(twin: Twin) -> set[tuple[str, str, str, int]]:
    """What a copy's tracked connections asked for, and somebody other than the node answers."""
    own = {str(address.ip) for _, address in twin.state.node.own_addresses()}
    tracked = conntrack.established(twin.run(lambda: conntrack.dump(None)), ended=True)
    return {(each.protocol, each.source, each.destination, each.port) for each in tracked if each.answers not in own}


def _open(twin: Twin, tried: list[ExposedFlow], seconds: float) -> tuple[set[ExposedFlow], list[ExposedFlow]]:
    """Which of them are open in this twin, and which were silent: an answer comes back, a refusal included.

    Of somebody who is connected, or whom a rule names, a refusal is none: they are not led to the same socket.
    """
    if not tried:
        return set(), []
    twin.outside.know_pods()
    replies = twin.ask_all([way.flow for way in tried], seconds)
    both = list(zip(tried, replies, strict=True))
    silent = [way for way, reply in both if reply.answer is Answer.TIMEOUT]
    heard = [(way, reply) for way, reply in both if reply.arrived]
    return {w for w, reply in heard if not (w.kind in TO_A_SOCKET and reply.answer is Answer.REFUSED)}, silent


def _all(state: State, cluster: ClusterAddresses, asking: list[str], far: bool) -> Iterator[ExposedFlow]:
    outsider = stranger(state)
    node = uplink_address(state)
    if node:
        yield from _to_node(state, cluster, node, asking[:1], outsider)
    if far:
        yield from _from_afar(state, node, outsider)
    for port, protocol in cluster.node_ports if node and outsider else ():
        yield ExposedFlow(Access.OUTSIDE_TO_NODE_PORT, _from_outside(outsider, str(node), protocol, port))
    for target in state.pods:
        yield from _to_pod(target, [name for name in asking if name != target.name][:1], outsider)
    for source in asking[:1]:
        yield from _from_pod(source, state, cluster)


def _to_node(
    state: State, cluster: ClusterAddresses, node: Address, asking: list[str], stranger: Address | None
) -> Iterator[ExposedFlow]:
    """The node's listening sockets, asked from outside and by pods."""
    needed = needed_by_pods(state, cluster)
    for listener in reachable(state.node, node):
        if stranger:
            yield ExposedFlow(
                Access.OUTSIDE_TO_NODE, _from_outside(stranger, str(node), listener.protocol, listener.port)
            )
        for pod in asking:
            kind = Access.POD_TO_NODE if (listener.protocol, listener.port) in needed else Access.POD_TO_OTHER_PORT
            yield ExposedFlow(kind, Flow(pod, str(node), listener.protocol, listener.port))


def _from_afar(state: State, node: Address | None, stranger: Address | None) -> Iterator[ExposedFlow]:
    """The node's other addresses, asked by a neighbour; and each by somebody in another network."""
    in_turn = []
    for own in uplink_addresses(state):
        far = ipaddress.ip_address(FAR[own.version == 6])
        near = stranger if own.ip == node else neighbour(own, state)
        for source, word in ((near, "a neighbour"), (far, "another network")):
            if source and (own.ip, source) != (node, stranger):
                flows = [_from_outside(source, str(own.ip), x.protocol, x.port) for x in reachable(state.node, own.ip)]
                in_turn.append([ExposedFlow(Access.OUTSIDE_TO_NODE, flow, word) for flow in flows])
    for place in zip_longest(*in_turn):  # of each at the lowest ports first
        yield from (way for way in place if way)


def _to_pod(pod: NetworkState, asking: list[str], stranger: Address | None) -> Iterator[ExposedFlow]:
    for listener in reachable(pod, ipaddress.ip_address(pod.address)) if pod.address else ():
        if stranger:
            yield ExposedFlow(
                Access.OUTSIDE_TO_POD, _from_outside(stranger, pod.address, listener.protocol, listener.port)
            )
        for other in asking:
            yield ExposedFlow(Access.POD_TO_POD, Flow(other, pod.address, listener.protocol, listener.port))


def _from_pod(source: str, state: State, cluster: ClusterAddresses) -> Iterator[ExposedFlow]:
    far = (Listener("udp", RESOLVER, 53),)
    yield ExposedFlow(Access.POD_TO_OUTSIDE, Flow(source, RESOLVER, "udp", 53, far))
    for cluster_ip, ends in cluster.services:
        for protocol, port in dict.fromkeys((end[1], end[3]) for end in ends):
            with suppress(CannotRead):  # an endpoint that was not captured
                yield ExposedFlow(Access.POD_TO_SERVICE, flow_of(source, cluster_ip, protocol, port, state, cluster))


def _from_outside(source: Address | None, target: str, protocol: str, port: int) -> Flow:
    return Flow(OUTSIDE, target, protocol, port, source_address=str(source))


def reachable(state: NetworkState, address: Address) -> Iterator[Listener]:
    """The listeners that packets to this address may reach."""
    seen = set()
    for listener in state.listeners:
        place = (listener.protocol, listener.port)
        fits = listener.address in ("0.0.0.0", "::", str(address))
        if fits and place not in seen and listener.port not in SPECIAL:
            seen.add(place)
            yield listener


def at(address: str, port: int) -> str:
    """Address and port, as people write them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
