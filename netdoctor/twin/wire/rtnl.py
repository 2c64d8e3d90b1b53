"""Requests to the kernel's routing and links: messages for `Netlink(ROUTE).request` (linux/rtnetlink.h)."""

from __future__ import annotations

import ipaddress
import struct

from netdoctor.twin.state import IFF_UP, IFLA_LINKINFO, NUD_PERMANENT
from netdoctor.twin.wire.netlink import CREATE, EXCLUSIVE, NESTED, REPLACE, attribute, packed

SET_LINK, AF_BRIDGE, PROTINFO = 19, 7, 12
NEW_LINK, NEW_ADDRESS, DELETE_ADDRESS, NEW_ROUTE, DELETE_ROUTE, NEW_NEIGHBOUR = 16, 20, 21, 24, 25, 28
NEW_RULE, DELETE_RULE, NEW_NEXTHOP = 32, 33, 104
MAIN, LOCAL = 254, 255
UNIVERSE, LINK_SCOPE, HOST_SCOPE = 0, 253, 254
UNICAST, LOCAL_ROUTE = 1, 2
BOOT = 3  # protocol
NODAD, ONLINK = 0x02, 4

Request = tuple[int, bytes, int]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def ifinfo(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """The header of a message about a link."""
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


def linkinfo(kind: str, data: bytes = b"") -> bytes:
    """The attribute that says what kind of link it is."""
    return attribute(IFLA_LINKINFO, attribute(1, kind.encode() + b"\0") + (attribute(2, data) if data else b""))


def make_link(body: bytes) -> Request:
    """Make a link of this body."""
    return NEW_LINK, body, CREATE | EXCLUSIVE


def change_link(index: int, body: bytes) -> Request:
    """Change what the body says of a link."""
    return NEW_LINK, ifinfo(index) + body, 0


def link_up(index: int, up: bool = True) -> Request:
    """Set a link up, or down."""
    return NEW_LINK, ifinfo(index, IFF_UP if up else 0, IFF_UP), 0


def port_state(index: int, state: bytes) -> Request:
    """Set a bridge port's state, as `bridge link set` does: any other message about the port would enable it again."""
    body = struct.pack("=BxHiII", AF_BRIDGE, 0, index, 0, 0)
    return SET_LINK, body + attribute(PROTINFO | NESTED, attribute(1, state)), 0


def own(address: Address, index: int) -> Request:
    """Make an address the namespace's own: at this interface, and usable at once."""
    body = struct.pack("=BBBBI", family_of(address), address.max_prefixlen, NODAD, UNIVERSE, index)
    items = [(1, address.packed), (2, address.packed)]
    if address.version == 6:
        items = [(1, address.packed), (8, struct.pack("=I", NODAD))]
    return NEW_ADDRESS, body + packed(items), CREATE | REPLACE


def disown(address: Address, index: int) -> Request:
    """Delete an address from this interface."""
    body = struct.pack("=BBBBI", family_of(address), address.max_prefixlen, 0, UNIVERSE, index)
    return DELETE_ADDRESS, body + attribute(2 if address.version == 4 else 1, address.packed), 0


def route(
    network: Network, index: int, gateway: Address | None = None, kind: int = UNICAST, scope: int | None = None
) -> Request:
    """A route of the main table out of this interface; a gateway need not be in a network of its."""
    wide = scope if scope is not None else (UNIVERSE if gateway or network.version == 6 else LINK_SCOPE)
    flags = ONLINK if gateway else 0
    body = struct.pack(
        "=BBBBBBBBI", family_of(network), network.prefixlen, 0, 0, MAIN, BOOT, wide, kind, flags
    )  # fmt: skip
    items = [(1, network.network_address.packed)] if network.prefixlen else []
    items.append((4, struct.pack("=I", index)))
    if gateway:
        items.append((5, gateway.packed))
    return NEW_ROUTE, body + packed(items), CREATE | REPLACE


def neighbour(address: Address, index: int, mac: bytes) -> Request:
    """A permanent entry: this address is at this link-layer address."""
    body = struct.pack("=BxxxiHBB", family_of(address), index, NUD_PERMANENT, 0, 0)
    return NEW_NEIGHBOUR, body + packed([(1, address.packed), (2, mac)]), CREATE | REPLACE


def family_of(thing: Address | Network) -> int:
    """AF_INET or AF_INET6."""
    return 2 if thing.version == 4 else 10
