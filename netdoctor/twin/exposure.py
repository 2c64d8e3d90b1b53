"""What can be reached from outside and from a pod: listening sockets of the node and of its pods, and Services."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster_addresses import ClusterAddresses
from netdoctor.model import Access
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.rtnl import Address
from netdoctor.twin.state import Listener, NetworkState, State
from netdoctor.twin.twin import OUTSIDE, Flow, Twin
from netdoctor.twin.uplinks import uplinks

SECONDS = 0.1  # of silence, for all of them at once
SURE = 0.5  # of silence where one copy answers and the other does not: it may be the processor that was taken
MOST = 48  # flows of one class
FAR = ("198.51.100.77", "2001:db8::77")  # where an uplink's network has no room for a neighbour
SPECIAL = (5353, 546, 68)  # mDNS, DHCP: they answer nobody
RESOLVER = "8.8.8.8"


@dataclass(frozen=True, slots=True)
class Way:
    """One way in: of which class, and the flow that tries it."""

    kind: Access
    flow: Flow

    def __str__(self) -> str:
        """As a matrix names it."""
        return str(self.flow)


def ways(state: State, cluster: ClusterAddresses, asking: Sequence[str] = ()) -> list[Way]:
    """The ways that are tried, the first of each class; `asking`: pods to ask from, if there are such."""
    by_kind: dict[Access, list[Way]] = {}
    pods = [pod.name for pod in state.pods]
    others = sorted(pods, key=lambda name: name.startswith("kube-system/"))
    for way in _all(state, cluster, list(dict.fromkeys([*(x for x in asking if x in pods), *others]))):
        by_kind.setdefault(way.kind, []).append(way)
    return [way for several in by_kind.values() for way in several[:MOST]]


def compared(before: Twin, after: Twin, tried: list[Way]) -> tuple[tuple[Way, ...], tuple[Way, ...]]:
    """The ways that are open in the second twin only, and those that are open in the first one only."""
    old, new = _open(before, tried, SECONDS), _open(after, tried, SECONDS)
    old |= _open(before, new - old, SURE)
    new |= _open(after, old - new, SURE)
    return tuple(way for way in tried if way in new - old), tuple(way for way in tried if way in old - new)


def _open(twin: Twin, tried: Collection[Way], seconds: float) -> set[Way]:
    """Which of them are open in this twin: an answer comes back, a refusal of the far end's own included."""
    twin.outside.know_pods()
    replies = twin.ask_all([way.flow for way in tried], seconds)
    return {way for way, reply in zip(tried, replies, strict=True) if reply.arrived}


def _all(state: State, cluster: ClusterAddresses, asking: list[str]) -> Iterator[Way]:
    stranger = _stranger(state)
    node = _uplink_address(state)
    for listener in _reachable(state.node, node) if node else ():
        if stranger:
            yield Way(Access.OUTSIDE_TO_NODE, _from_outside(stranger, str(node), listener.protocol, listener.port))
        for pod in asking[:1]:
            yield Way(Access.POD_TO_NODE, Flow(pod, str(node), listener.protocol, listener.port))
    for port, protocol in cluster.node_ports if node and stranger else ():
        yield Way(Access.OUTSIDE_TO_NODE_PORT, _from_outside(stranger, str(node), protocol, port))
    for target in state.pods:
        yield from _to_pod(target, [name for name in asking if name != target.name][:1], stranger)
    for source in asking[:1]:
        yield from _from_pod(source, state, cluster)


def _to_pod(pod: NetworkState, asking: list[str], stranger: Address | None) -> Iterator[Way]:
    for listener in _reachable(pod, ipaddress.ip_address(pod.address)) if pod.address else ():
        if stranger:
            yield Way(Access.OUTSIDE_TO_POD, _from_outside(stranger, pod.address, listener.protocol, listener.port))
        for other in asking:
            yield Way(Access.POD_TO_POD, Flow(other, pod.address, listener.protocol, listener.port))


def _from_pod(source: str, state: State, cluster: ClusterAddresses) -> Iterator[Way]:
    far = (Listener("udp", RESOLVER, 53),)
    yield Way(Access.POD_TO_OUTSIDE, Flow(source, RESOLVER, "udp", 53, far))
    for cluster_ip, ends in cluster.services:
        for protocol, port in dict.fromkeys((end[1], end[3]) for end in ends):
            with suppress(CannotRead):  # an endpoint that was not captured
                yield Way(Access.POD_TO_SERVICE, flow_of(source, cluster_ip, protocol, port, state, cluster))


def _from_outside(source: Address | None, target: str, protocol: str, port: int) -> Flow:
    return Flow(OUTSIDE, target, protocol, port, source_address=str(source))


def _reachable(state: NetworkState, address: Address) -> Iterator[Listener]:
    """The listeners that packets to this address may reach."""
    seen = set()
    for listener in state.listeners:
        place = (listener.protocol, listener.port)
        fits = listener.address in ("0.0.0.0", "::", str(address))
        if fits and place not in seen and listener.port not in SPECIAL:
            seen.add(place)
            yield listener


def _uplink_address(state: State) -> Address | None:
    """The node's first address on a link that leads out."""
    own = [(index, address.ip) for index, address in state.node.own_addresses() if not address.ip.is_link_local]
    return next((ip for link in uplinks(state) for index, ip in own if index == link.index), None)


def _stranger(state: State) -> Address | None:
    """An address outside from which the node is asked: in the uplink's own network if there is room."""
    node = _uplink_address(state)
    if node is None:
        return None
    own = {address.ip for _, address in state.node.own_addresses()}
    network = next(a.network for _, a in state.node.own_addresses() if a.ip == node)
    if network.num_addresses > 8:
        taken = own | {network.network_address, network.broadcast_address}
        for offset in range(network.num_addresses - 2, max(0, network.num_addresses - 64), -1):
            address = network[offset]
            if address not in taken:
                return address
    return ipaddress.ip_address(FAR[node.version == 6])
