"""VXLAN between nodes: the node's own interface as a real one, and beyond the outside the other end of each tunnel.

What goes in is the node's state, and on which node the far pod is; what comes out are requests for the node's copy, and
a namespace for each other node that a flow meets. It has that node's address, a VTEP with the VNI and port of this
node's, and the far pod's address. Its way back is taken as healthy. Its VTEP's MAC is the one that this node believes
in, its address the cluster's where that is known, else the one that this node's forwarding entry has.

Assumed of other overlays (geneve, ipip, wireguard, tun; VXLAN over IPv6, by multicast, or steered by programs): what
goes in at this end comes out at the other. Each is a cable to the outside, which knows the way to pods.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from netdoctor.errors import CannotRead
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.outside import await_addresses, await_carriers, write_setting
from netdoctor.twin.routes import Route, gateways, routes
from netdoctor.twin.state import Link, State
from netdoctor.twin.vxlan import LARGEST_MTU, VXLAN, options, port
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import NeighbourMessage, RouteMessage, RuleMessage
from netdoctor.twin.wire.netlink import (
    CREATE,
    KIND,
    REPLACE,
    ROUTE,
    Attribute,
    Netlink,
    attribute,
    by_kind,
    name_of,
    packed,
)
from netdoctor.twin.wire.rtnl import Address, Request
from netdoctor.twin.wire.uapi.if_link import IFLA, IFLA_VXLAN, VETH_INFO
from netdoctor.twin.wire.uapi.rtnetlink import FR_ACT, FRA, NDA, NTF, NUD, RT_TABLE, RTM

LOOPBACK, FAR_LINK, FAR_VTEP = 1, 2, 1000  # indexes beyond the outside
NEAR = 1 << 21  # indexes of the outside's ends
TABLE, OWN_TABLE, NOBODY = 100, 200, 300  # priorities of routing rules, the first also a table
UNKNOWN_MAC = b"\x02\0\0\0\0\x01"


@dataclass(frozen=True, slots=True)
class Hop:
    """How the node should reach a far pod: by which VXLAN interface, which VTEP's MAC, and which node."""

    link: Link
    mac: bytes
    node: Address


@dataclass
class _Far:
    """Another node."""

    namespace: Namespace
    vteps: dict[int, int] = field(default_factory=dict)  # index of this node's VXLAN interface, and of its there


class Overlay:
    """The other ends of the node's VXLAN interfaces. Close it."""

    def __init__(self, state: State, links: Iterable[Link], outside: Namespace, ends: Mapping[str, Iterable[Address]]):
        """`links`: the VXLAN interfaces that were copied; `ends`: the outside's, with the node's addresses at each."""
        self._state, self._outside, self._ends = state, outside, ends
        self.links = {link.index: link for link in links}
        self._far: dict[Address, _Far] = {}
        self._ports: set[int] = set()  # that are forwarded
        ports = {link.master: link.index for link in self.links.values() if link.master}
        self._devices = {**{index: index for index in self.links}, **ports}

    def hop(self, pod: Address, node: Address | None) -> Hop | None:
        """How a far pod is reached over VXLAN; None where it is not. `node`: which it is on, where that is known."""
        if not self.links or pod == node:
            return None
        way = self._way(pod)
        if way is None:
            return self._hop(next(iter(self.links.values())), b"", node) if node else None
        if way.device not in self._devices:
            return None
        gateway = next((address for address, _ in gateways(way.body)), pod)
        mac = self._neighbours(way.device).get(gateway, b"")
        return self._hop(self.links[self._devices[way.device]], mac, node)

    def _way(self, pod: Address) -> Route | None:
        """The node's route to a pod, None where it is missing; the default route is none."""
        ways = [each for each in routes(self._state.node) if pod in each.destination and not each.refuses]
        longest = max(ways, key=lambda each: each.destination.prefixlen, default=None)
        return longest if longest and longest.destination.prefixlen else None

    def _hop(self, link: Link, mac: bytes, node: Address | None) -> Hop | None:
        """The hop by this interface; what is not known of the VTEP's MAC and the node is told by forwarding entries."""
        entries = self._entries(link)
        if not mac:
            mac = next((behind for behind, end in entries.items() if end == node and any(behind)), UNKNOWN_MAC)
        end = node or entries.get(mac) or entries.get(bytes(6))
        return Hop(link, mac, end) if end and end.version == 4 else None

    def meet(self, pod: Address, hop: Hop) -> Namespace:
        """Have the far pod on its node, and the way there and back; the namespace that it is in. Raises CannotRead."""
        if hop.node not in self._far:
            self._far[hop.node] = self._new(hop.node, len(self._far) + 1)
        far = self._far[hop.node]
        asked = [rtnl.own(pod, LOOPBACK)]
        if hop.link.index not in far.vteps:
            far.vteps[hop.link.index] = index = FAR_VTEP + len(far.vteps)
            asked += self._vtep(hop, index)
            if port(hop.link) not in self._ports:
                self._ports.add(port(hop.link))
                _request(self._outside, _rules(self._ends, port(hop.link)))
        _request(far.namespace, asked)
        with far.namespace.run(lambda: Netlink(ROUTE)) as netlink:
            await_addresses(netlink, [pod])
        return far.namespace

    def close(self) -> None:
        """Let the other nodes go."""
        for far in self._far.values():
            far.namespace.close()

    def _neighbours(self, device: int) -> dict[Address, bytes]:
        found = {}
        for body in self._state.node.neighbours:
            known = NeighbourMessage(body)
            if known.index != device or known.state & (NUD.FAILED | NUD.INCOMPLETE):
                continue
            if known.family in (socket.AF_INET, socket.AF_INET6) and len(known.link_layer_address) == 6:
                found[ipaddress.ip_address(known.attributes[NDA.DST])] = known.link_layer_address
        return found

    def _entries(self, link: Link) -> dict[bytes, Address]:
        """The forwarding entries of a VXLAN interface: MAC and node."""
        found = {}
        for body in self._state.node.neighbours:
            entry = NeighbourMessage(body)
            if entry.family == socket.AF_BRIDGE and entry.index == link.index and NDA.DST in entry.attributes:
                mac = entry.attributes.get(NDA.LLADDR, bytes(6))
                found[mac] = ipaddress.ip_address(entry.destination)
        return found

    def _new(self, node: Address, number: int) -> _Far:
        """Another node, whose address the outside has; what is tunnelled goes to it, and all else stays there."""
        namespace = Namespace.new()
        far = _Far(namespace)
        name, index = f"far{number}", NEAR + number
        near_mac, far_mac = (b"\x02\0\0\0" + bytes([number, end]) for end in (1, 2))
        peer = rtnl.ifinfo(FAR_LINK) + attribute(IFLA.IFNAME, b"eth0\0") + attribute(IFLA.ADDRESS, far_mac)
        peer += attribute(IFLA.NET_NS_FD, struct.pack("=i", namespace.descriptor)) + _mtu(LARGEST_MTU)
        head = rtnl.ifinfo(index) + attribute(IFLA.IFNAME, name.encode() + b"\0") + attribute(IFLA.ADDRESS, near_mac)
        asked = [rtnl.make_link(head + _mtu(LARGEST_MTU) + rtnl.linkinfo("veth", attribute(VETH_INFO.PEER, peer)))]
        namespace.run(_without_checks)
        asked += [rtnl.link_up(index), rtnl.neighbour(node, index, far_mac), _in_table(rtnl.route(_host(node), index))]
        _request(self._outside, asked)
        self._outside.run(lambda: _forward((name, *self._ends)))
        back = [rtnl.link_up(LOOPBACK), rtnl.link_up(FAR_LINK), rtnl.own(node, LOOPBACK)]
        for address in (a for addresses in self._ends.values() for a in addresses if a.version == 4):
            back += [rtnl.route(_host(address), FAR_LINK), rtnl.neighbour(address, FAR_LINK, near_mac)]
        _request(namespace, back)
        with self._outside.run(lambda: Netlink(ROUTE)) as netlink:
            await_carriers(netlink, [index])
        return far

    def _vtep(self, hop: Hop, index: int) -> Iterator[Request]:
        """A VTEP on another node, with the way back to this node's and through it to pods."""
        head = rtnl.ifinfo(index) + attribute(IFLA.IFNAME, b"vtep%d\0" % index) + attribute(IFLA.ADDRESS, hop.mac)
        data = packed(_options_there(hop))
        yield rtnl.make_link(head + _mtu(hop.link.mtu) + rtnl.linkinfo(VXLAN, data))
        yield rtnl.link_up(index)
        here = by_kind(hop.link.data)[IFLA_VXLAN.LOCAL]
        ends = self._ends_of(hop.link)
        for end in ends:
            yield rtnl.route(_host(end), index)
            yield rtnl.neighbour(end, index, hop.link.mac)
        yield _entry(index, hop.link.mac, here)
        for mac, pod in self._pods():
            via = next((end for end in ends if end.version == pod.version), None)
            if hop.link.master:  # one network with the pods
                yield rtnl.route(_host(pod), index)
                yield rtnl.neighbour(pod, index, mac)
                yield _entry(index, mac, here)
            elif via:
                yield rtnl.route(_host(pod), index, via)

    def _ends_of(self, link: Link) -> list[Address]:
        """This node's addresses at a VXLAN interface, or at the bridge that it is a port of."""
        owners = {link.index, link.master} - {0}
        return [own.ip for at, own in self._state.node.own_addresses() if at in owners and not own.ip.is_link_local]

    def _pods(self) -> Iterator[tuple[bytes, Address]]:
        """MAC and address of each pod of this node."""
        for pod in self._state.pods:
            macs = {link.index: link.mac for link in pod.interfaces() if len(link.mac) == 6}
            for at, own in pod.own_addresses():
                if at in macs and not own.ip.is_link_local and not own.ip.is_loopback:
                    yield macs[at], own.ip


def _options_there(hop: Hop) -> Iterator[Attribute]:
    """What a VTEP on another node is made with: as this node's, with that node's address."""
    for kind, value in options(hop.link):
        if kind & KIND == IFLA_VXLAN.LOCAL:
            yield kind, hop.node.packed
        elif kind & KIND not in (IFLA_VXLAN.GROUP, IFLA_VXLAN.LINK):
            yield kind, value


def _host(address: Address) -> rtnl.Network:
    return ipaddress.ip_network(address)


def _mtu(size: int) -> bytes:
    return attribute(IFLA.MTU, struct.pack("=I", size))


def _entry(index: int, mac: bytes, node: bytes) -> Request:
    """A forwarding entry: this MAC is behind the VTEP of that node."""
    body = NeighbourMessage.HEADER.pack(socket.AF_BRIDGE, index, NUD.PERMANENT, NTF.SELF, 0)
    return RTM.NEWNEIGH, body + packed([(NDA.DST, node), (NDA.LLADDR, mac)]), CREATE | REPLACE


def _in_table(request: Request) -> Request:
    """A route of the main table in that for what is tunnelled."""
    kind, body, flags = request
    route = RouteMessage(body)
    return kind, route.header(table=TABLE) + body[route.HEADER.size :], flags


def _rule(priority: int, table: int, action: int = FR_ACT.TO_TBL, interface: str = "", port: int = 0) -> Request:
    """A routing rule for all packets, or those that come in at an interface, or those to a port of UDP there."""
    head = RuleMessage.HEADER.pack(socket.AF_INET, 0, 0, 0, table, action, 0)
    items: list[Attribute] = [(FRA.PRIORITY, struct.pack("=I", priority))]
    if interface:
        items.append((FRA.IIFNAME, interface.encode() + b"\0"))
    if port:
        items.append((FRA.IP_PROTO, bytes([socket.IPPROTO_UDP])))
        items.append((FRA.DPORT_RANGE, struct.pack("=HH", port, port)))
    return RTM.NEWRULE, head + packed(items), CREATE


def _rules(interfaces: Iterable[str], port: int) -> Iterator[Request]:
    """What is tunnelled to this port goes by our table, what else comes in is the outside's own or nobody's."""
    yield _rule(OWN_TABLE, RT_TABLE.LOCAL)
    _, body, _ = _rule(0, RT_TABLE.LOCAL)
    yield RTM.DELRULE, body, 0
    for interface in interfaces:
        yield _rule(TABLE, TABLE, interface=interface, port=port)
        yield _rule(NOBODY, 0, FR_ACT.BLACKHOLE, interface)


def _request(namespace: Namespace, asked: Iterable[Request]) -> None:
    them = list(asked)
    with namespace.run(lambda: Netlink(ROUTE)) as netlink:
        for (kind, _, _), code in zip(them, netlink.request(them), strict=True):
            if code and kind not in (RTM.NEWADDR, RTM.DELRULE):
                raise CannotRead("twin", f"the other end of an overlay could not be made ({kind}): {name_of(code)}")


def _forward(names: Iterable[str]) -> None:
    for name in names:
        write_setting(f"ipv4/conf/{name}/forwarding", "1")


def _without_checks() -> None:
    for name in ("all", "default"):
        write_setting(f"ipv4/conf/{name}/rp_filter", "0")
        write_setting(f"ipv6/conf/{name}/accept_dad", "0")
        write_setting(f"ipv6/conf/{name}/addr_gen_mode", "1")
