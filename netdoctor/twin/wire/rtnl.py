"""Requests to the kernel's routing and links: messages for `Netlink(ROUTE).request` (linux/rtnetlink.h)."""

from __future__ import annotations

import ipaddress
import socket
import struct

from netdoctor.twin.wire.messages import AddressMessage, LinkMessage, NeighbourMessage, RouteMessage
from netdoctor.twin.wire.netlink import CREATE, EXCLUSIVE, NESTED, REPLACE, Attribute, attribute, packed
from netdoctor.twin.wire.uapi.if_link import IFF, IFLA, IFLA_BRPORT, IFLA_INFO
from netdoctor.twin.wire.uapi.rtnetlink import IFA, IFA_F, NDA, NUD, RT_SCOPE, RT_TABLE, RTA, RTM, RTN, RTNH_F, RTPROT

Request = tuple[int, bytes, int]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def ifinfo(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """The header of a message about a link."""
    return LinkMessage.HEADER.pack(socket.AF_UNSPEC, 0, index, flags, change)


def linkinfo(kind: str, data: bytes = b"") -> bytes:
    """The attribute that says what kind of link it is."""
    info = attribute(IFLA_INFO.KIND, kind.encode() + b"\0") + (attribute(IFLA_INFO.DATA, data) if data else b"")
    return attribute(IFLA.LINKINFO, info)


def bridge_portinfo(data: bytes) -> bytes:
    """The attribute that says what the link is as a port of a bridge: `data` is attributes of IFLA_BRPORT."""
    info = attribute(IFLA_INFO.SLAVE_KIND, b"bridge\0") + attribute(IFLA_INFO.SLAVE_DATA, data)
    return attribute(IFLA.LINKINFO, info)


def make_link(body: bytes) -> Request:
    """Make a link of this body."""
    return RTM.NEWLINK, body, CREATE | EXCLUSIVE


def change_link(index: int, body: bytes) -> Request:
    """Change what the body says of a link."""
    return RTM.NEWLINK, ifinfo(index) + body, 0


def link_up(index: int, up: bool = True) -> Request:
    """Set a link up, or down."""
    return RTM.NEWLINK, ifinfo(index, IFF.UP if up else 0, IFF.UP), 0


def port_state(index: int, state: bytes) -> Request:
    """Set a bridge port's state, as `bridge link set` does: any other message about the port would enable it again."""
    body = LinkMessage.HEADER.pack(socket.AF_BRIDGE, 0, index, 0, 0)
    return RTM.SETLINK, body + attribute(IFLA.PROTINFO | NESTED, attribute(IFLA_BRPORT.STATE, state)), 0


def own(address: Address, index: int) -> Request:
    """Make an address the namespace's own: at this interface, and usable at once."""
    body = AddressMessage.HEADER.pack(family_of(address), address.max_prefixlen, IFA_F.NODAD, RT_SCOPE.UNIVERSE, index)
    items = [(IFA.ADDRESS, address.packed), (IFA.LOCAL, address.packed)]
    if address.version == 6:
        items = [(IFA.ADDRESS, address.packed), (IFA.FLAGS, struct.pack("=I", IFA_F.NODAD))]
    return RTM.NEWADDR, body + packed(items), CREATE | REPLACE


def disown(address: Address, index: int) -> Request:
    """Delete an address from this interface."""
    body = AddressMessage.HEADER.pack(family_of(address), address.max_prefixlen, 0, RT_SCOPE.UNIVERSE, index)
    return RTM.DELADDR, body + attribute(IFA.LOCAL if address.version == 4 else IFA.ADDRESS, address.packed), 0


def add_address(address: ipaddress.IPv4Interface, index: int) -> Request:
    """Give an interface this address; the kernel makes the route to its network."""
    network = address.network
    body = AddressMessage.HEADER.pack(socket.AF_INET, network.prefixlen, 0, RT_SCOPE.UNIVERSE, index)
    items = [(IFA.LOCAL, address.packed), (IFA.ADDRESS, address.packed)]
    items.append((IFA.BROADCAST, network.broadcast_address.packed))
    return RTM.NEWADDR, body + packed(items), CREATE | EXCLUSIVE


def remove_address(address: ipaddress.IPv4Interface, index: int) -> Request:
    """Take this address from an interface, and the route that came with it."""
    body = AddressMessage.HEADER.pack(socket.AF_INET, address.network.prefixlen, 0, RT_SCOPE.UNIVERSE, index)
    return RTM.DELADDR, body + packed([(IFA.LOCAL, address.packed), (IFA.ADDRESS, address.packed)]), 0


def connected_route(network: ipaddress.IPv4Network, index: int, source: ipaddress.IPv4Address) -> Request:
    """The route to an interface's own network, as the kernel makes it for an address."""
    return RTM.NEWROUTE, _connected(network, index, source), CREATE | EXCLUSIVE


def without_connected_route(network: ipaddress.IPv4Network, index: int, source: ipaddress.IPv4Address) -> Request:
    """Remove that route, and no other to the same network."""
    return RTM.DELROUTE, _connected(network, index, source), 0


def _connected(network: ipaddress.IPv4Network, index: int, source: ipaddress.IPv4Address) -> bytes:
    header = RouteMessage.HEADER.pack(
        socket.AF_INET, network.prefixlen, 0, 0, RT_TABLE.MAIN, RTPROT.KERNEL, RT_SCOPE.LINK, RTN.UNICAST, 0
    )
    own = struct.pack("=I", index)
    return header + packed([(RTA.DST, network.network_address.packed), (RTA.OIF, own), (RTA.PREFSRC, source.packed)])


def route(
    network: Network, index: int, gateway: Address | None = None, kind: int = RTN.UNICAST, scope: int | None = None
) -> Request:
    """A route of the main table out of this interface; a gateway need not be in a network of its."""
    if scope is None:
        scope = RT_SCOPE.UNIVERSE if gateway or network.version == 6 else RT_SCOPE.LINK
    flags = RTNH_F.ONLINK if gateway else 0
    body = RouteMessage.HEADER.pack(
        family_of(network), network.prefixlen, 0, 0, RT_TABLE.MAIN, RTPROT.BOOT, scope, kind, flags
    )
    items: list[Attribute] = [(RTA.DST, network.network_address.packed)] if network.prefixlen else []
    items.append((RTA.OIF, struct.pack("=I", index)))
    if gateway:
        items.append((RTA.GATEWAY, gateway.packed))
    return RTM.NEWROUTE, body + packed(items), CREATE | REPLACE


def neighbour(address: Address, index: int, mac: bytes) -> Request:
    """A permanent entry: this address is at this link-layer address."""
    body = NeighbourMessage.HEADER.pack(family_of(address), index, NUD.PERMANENT, 0, 0)
    return RTM.NEWNEIGH, body + packed([(NDA.DST, address.packed), (NDA.LLADDR, mac)]), CREATE | REPLACE


def family_of(thing: Address | Network) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET if thing.version == 4 else socket.AF_INET6
