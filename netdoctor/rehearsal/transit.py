"""Whether a node carries packets between its uplinks: a host behind one of them asks a host behind another one.

The outside of a copy is one namespace, which would answer itself. So the other ends of all uplinks but one are moved
into namespaces of their own: it is the last thing that is asked of a copy.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice

from netdoctor.errors import CannotRead
from netdoctor.model import Access
from netdoctor.rehearsal.exposure import CERTAIN, SECONDS, SURE, ExposedFlow
from netdoctor.system.traffic import ask_all
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.outside import LOOPBACK, Uplink, await_addresses, await_carriers, link_indexes, write_setting
from netdoctor.twin.state import Link, Listener, State
from netdoctor.twin.strangers import Interface, neighbour, uplink_addresses
from netdoctor.twin.twin import OUTSIDE, Flow, Twin, question
from netdoctor.twin.uplinks import BRIDGE, pod_bridges, uplinks
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, attribute, name_of
from netdoctor.twin.wire.uapi.if_link import IFLA
from netdoctor.twin.wire.uapi.rtnetlink import RTM

PORTS = (22, 443)  # one that rules often name, and one that they seldom do
MOST_INNER = 8  # bridges of machines and containers


@dataclass(frozen=True, slots=True)
class UplinkSide:
    """A host in the network of one uplink."""

    own: Interface  # the node's address there
    host: rtnl.Address
    uplink: str  # the name of the node's interface
    inner: bool = False  # a bridge for machines or containers of the node's own: it is asked, and asks nobody


def sides(state: State) -> list[UplinkSide]:
    """The hosts behind uplinks that ask each other; none where there is one uplink only."""
    devices = _devices(state)
    found: list[UplinkSide] = []
    inner = {bridge.name for bridge, _ in islice(_inner_bridges(state), MOST_INNER)}
    of_bridges = [own for own, name in devices.items() if name in inner and not own.ip.is_link_local]
    for own in (*uplink_addresses(state), *of_bridges):
        host = neighbour(own, state) or _other_end(own)
        if host and devices.get(own) and _is_apart(own, found):
            found.append(UplinkSide(own, host, devices[own], devices[own] in inner))
    return found if len({side.uplink for side in found}) > 1 else []


def _devices(state: State) -> dict[Interface, str]:
    """The interfaces that the node has its addresses at, by name; "" for a dummy."""
    names = {link.index: link.name for link in state.node.interfaces() if link.kind != "dummy"}
    return {address: names.get(index, "") for index, address in state.node.own_addresses()}


def _is_apart(own: Interface, found: list[UplinkSide]) -> bool:
    """Whether the network of an address overlaps with none that was found before."""
    same_family = [side.own.network for side in found if side.own.version == own.version]
    return not any(own.network.overlaps(network) for network in same_family)


def _inner_bridges(state: State) -> Iterator[tuple[Link, Link]]:
    """The bridges that lead to neither a pod nor out of the node, each with one of its ports."""
    links, others = state.node.interfaces(), {*pod_bridges(state), *(link.index for link in uplinks(state))}
    for bridge in (link for link in links if link.kind == BRIDGE and link.index not in others):
        yield from islice(((bridge, x) for x in links if x.master == bridge.index and x.up and x.carrier), 1)


def transit_ways(state: State) -> list[ExposedFlow]:
    """Each host behind an uplink to each behind another one."""
    return [
        ExposedFlow(
            Access.TRANSIT,
            Flow(OUTSIDE, str(to.host), "tcp", port, source_address=str(side.host)),
            f"{side.host} behind {side.uplink}",
        )
        for side, to in _pairs(sides(state))
        for port in PORTS
    ]


def carried(before: Twin, after: Twin, tried: list[ExposedFlow]) -> tuple[set[ExposedFlow], set[ExposedFlow]]:
    """Which of these ways pass in each of two copies. Raises CannotRead. Nothing else can be asked of them then."""
    with ExitStack() as stack:
        asked = [stack.enter_context(closing(_Apart(twin))) for twin in (before, after)]
        old, new = (each.passing(tried, SECONDS) for each in asked)
        old |= asked[0].passing([way for way in tried if way in new - old], SURE)
        for seconds in (SURE, CERTAIN):
            new |= asked[1].passing([way for way in tried if way in old - new], seconds)
    return old, new


class _Apart:
    """A copy whose uplinks lead into namespaces of their own."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._made: list[Namespace] = []
        self._at: dict[str, Namespace] = {}
        by_device: dict[str, Uplink] = {uplink.device.name: uplink for uplink in twin.outside.uplinks}
        for bridge, port in _inner_bridges(twin.state):
            if port.name in by_device:
                by_device[bridge.name] = replace(by_device[port.name], device=bridge)
        places: dict[str, Namespace] = {}
        for side in sides(twin.state):
            uplink = by_device.get(side.uplink)
            if uplink is None:
                continue
            if side.uplink not in places:
                places[side.uplink] = self._moved(uplink) if places else twin.namespaces[OUTSIDE]
            if places[side.uplink] is not twin.namespaces[OUTSIDE]:
                self._forget(side.host)
            self._settle(places[side.uplink], uplink, side)
            self._at[str(side.host)] = places[side.uplink]

    def passing(self, tried: list[ExposedFlow], seconds: float) -> set[ExposedFlow]:
        """The ways that are answered."""
        there = [way for way in tried if {way.flow.source_address, way.flow.destination} <= self._at.keys()]
        replies = ask_all(
            [
                (
                    self._at[way.flow.source_address].path,
                    question(way.flow.destination, "tcp", way.flow.port, seconds, way.flow.source_address),
                )
                for way in there
            ],
            seconds,
        )
        return {way for way, reply in zip(there, replies, strict=True) if reply.arrived}

    def _moved(self, uplink: Uplink) -> Namespace:
        namespace = Namespace.new()
        self._made.append(namespace)
        move = rtnl.change_link(uplink.index, attribute(IFLA.NET_NS_FD, struct.pack("=i", namespace.descriptor)))
        _request(self._twin.namespaces[OUTSIDE], [move])
        return namespace

    def _forget(self, host: rtnl.Address) -> None:
        """Have the outside not be this host any more, as which it may have asked before."""
        outside = self._twin.namespaces[OUTSIDE]
        places = [LOOPBACK, *outside.run(link_indexes).values()]
        with outside.run(lambda: Netlink(ROUTE)) as netlink:
            netlink.request([rtnl.disown(host, place) for place in dict.fromkeys(places)])  # most do not have it

    def _settle(self, namespace: Namespace, uplink: Uplink, side: UplinkSide) -> None:
        """Give a host its address and its way to the node, and by the node to everybody else."""

        def work() -> None:
            index = link_indexes().get(uplink.name, 0)
            if not index:
                raise CannotRead("twin", f"the uplink {uplink.device.name} could not be set apart")
            for name in ("all", "default", uplink.name):
                write_setting(f"ipv4/conf/{name}/rp_filter", "0")
                write_setting(f"ipv4/conf/{name}/accept_local", "1")
                write_setting(f"ipv6/conf/{name}/accept_dad", "0")
            asked = [rtnl.link_up(LOOPBACK), rtnl.link_up(index), rtnl.own(side.host, _place(side.host, index))]
            asked.append(rtnl.route(ipaddress.ip_network(side.own.ip), index))
            if len(uplink.device.mac) == 6:
                asked.append(rtnl.neighbour(side.own.ip, index, uplink.device.mac))
            for other in sides(self._twin.state):
                if other.uplink != side.uplink and other.own.version == side.own.version:
                    asked.append(rtnl.route(ipaddress.ip_network(other.host), index, side.own.ip))
            _request(namespace, asked)
            with Netlink(ROUTE) as netlink:
                await_addresses(netlink, [side.host])
                await_carriers(netlink, [index])
            self._twin.responder.listen_all(Listener("tcp", str(side.host), port) for port in PORTS)

        namespace.run(work)

    def close(self) -> None:
        """Let the namespaces go."""
        for namespace in self._made:
            namespace.close()


def _place(host: rtnl.Address, index: int) -> int:
    """The interface to have the address at: a neighbour solicitation is answered only where the address is."""
    return LOOPBACK if host.version == 4 else index


def _pairs(found: list[UplinkSide]) -> Iterator[tuple[UplinkSide, UplinkSide]]:
    for side in found:
        for to in found:
            if not side.inner and side.uplink != to.uplink and side.own.version == to.own.version:
                yield side, to


def _other_end(own: Interface) -> rtnl.Address | None:
    """Another host in a network that is too small for `neighbour`."""
    network = own.network
    if network.num_addresses == 1:
        return None
    return next((host for host in network.hosts() if host != own.ip), None)


def _request(namespace: Namespace, asked: list[rtnl.Request]) -> None:
    with namespace.run(lambda: Netlink(ROUTE)) as netlink:
        for (kind, _, _), code in zip(asked, netlink.request(asked), strict=True):
            if code and kind != RTM.NEWADDR:
                raise CannotRead("twin", f"the uplinks could not be set apart ({kind}): {name_of(code)}")
