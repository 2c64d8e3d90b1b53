"""The kernel's messages on links, addresses, routes, neighbours and connections with other addresses.

Layouts: linux/if_link.h, if_addr.h, rtnetlink.h, fib_rules.h, neighbour.h, nexthop.h, nfnetlink_conntrack.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.state import IFADDR, IFINFO, IFLA_ADDRESS, IFLA_LINKINFO, NDMSG, RTMSG
from netdoctor.twin.wire.netlink import KIND, attributes, by_kind, packed, text

NHMSG, NFGENMSG = 8, 4  # sizes of fixed headers
IFLA_BROADCAST, IFLA_AF_SPEC, IFLA_PERMANENT_ADDRESS = 2, 26, 54
AF_INET6, INET6_TOKEN = 10, 7
DROPPED = (20, 31, 36, 52)  # of a link: alias, the maker's numbers of port and switch, other names
LINK_KIND, LINK_DATA, PORT_KIND, PORT_DATA = 1, 2, 4, 5
IFA_LOCAL, IFA_ADDRESSES = 2, (1, 2, 4, 5, 7)
DST, SRC = 1, 2  # of a route and a rule: prefixes, whose lengths are in the header
RTA_GATEWAY, RTA_PREFSRC, RTA_MULTIPATH, RTA_VIA, RTA_ENCAP = 5, 7, 9, 18, 22
RTNEXTHOP = 8
NDA_DST, NDA_LLADDR = 1, 2
NHA_GATEWAY, NHA_ENCAP = 6, 8
CONNECTION_TUPLES, TUPLE_ADDRESSES = (1, 2, 14), 1  # asked, answered, the master's

Part = Callable[[Pseudonyms, bytes], bytes]
Change = Callable[[int, bytes], bytes]


def link(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """An interface: its link-layer addresses, and those in what its kind says; without its alias and other names."""

    def change(number: int, value: bytes) -> bytes:
        if number in (IFLA_ADDRESS, IFLA_BROADCAST, IFLA_PERMANENT_ADDRESS):
            return pseudonyms.hardware(value)
        if number == IFLA_AF_SPEC:
            return _changed(value, 0, lambda family, part: _changed(part, 0, token) if family == AF_INET6 else part)
        return _link_info(value, pseudonyms) if number == IFLA_LINKINFO else value

    def token(number: int, value: bytes) -> bytes:
        return pseudonyms.raw(value) if number == INET6_TOKEN else value

    items = packed(item for item in attributes(body, IFINFO) if item[0] & KIND not in DROPPED)
    return body[:IFINFO] + pseudonyms.swept(_changed(items, 0, change))


def address(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """An address of an interface."""

    def change(number: int, value: bytes) -> bytes:
        return pseudonyms.raw(value) if number in IFA_ADDRESSES else value

    return pseudonyms.swept(_changed(body, IFADDR, change))


def route(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A route: its prefix, its gateways and the address that it prefers."""

    def change(number: int, value: bytes) -> bytes:
        if number in (DST, SRC):
            return pseudonyms.prefix(value, body[number])
        if number in (RTA_GATEWAY, RTA_PREFSRC):
            return pseudonyms.raw(value)
        if number == RTA_VIA:
            return value[:2] + pseudonyms.raw(value[2:])
        if number == RTA_MULTIPATH:
            return _hops(value, change)
        return _nested_addresses(pseudonyms, value) if number == RTA_ENCAP else value

    return _changed(body, RTMSG, change)


def rule(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A rule of routing: its prefixes, and interfaces named by their MAC address."""

    def change(number: int, value: bytes) -> bytes:
        return pseudonyms.prefix(value, body[number]) if number in (DST, SRC) else value

    return pseudonyms.swept(_changed(body, RTMSG, change))


def neighbour(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A neighbour, or an entry of a bridge."""

    def change(number: int, value: bytes) -> bytes:
        return pseudonyms.hardware(value) if number in (NDA_DST, NDA_LLADDR) else value

    return _changed(body, NDMSG, change)


def nexthop(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A next hop that routes name by its number."""

    def change(number: int, value: bytes) -> bytes:
        if number == NHA_GATEWAY:
            return pseudonyms.raw(value)
        return _nested_addresses(pseudonyms, value) if number == NHA_ENCAP else value

    return _changed(body, NHMSG, change)


def connection(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A tracked connection: who asked whom, and who answers."""

    def inside(number: int, value: bytes) -> bytes:
        return _nested_addresses(pseudonyms, value) if number == TUPLE_ADDRESSES else value

    def change(number: int, value: bytes) -> bytes:
        return _changed(value, 0, inside) if number in CONNECTION_TUPLES else value

    return _changed(body, NFGENMSG, change)


def meet_network(body: bytes, pseudonyms: Pseudonyms) -> None:
    """See the network of an interface's address: a large one moves as a whole."""
    found = by_kind(body, IFADDR)
    raw = found.get(IFA_LOCAL, found.get(1, b""))
    if len(raw) in (4, 16):
        pseudonyms.connect(raw, body[1])


def meet_hardware(body: bytes, header: int, number: int, pseudonyms: Pseudonyms) -> None:
    """See a MAC address first where it is whole: other messages hold parts of it."""
    raw = by_kind(body, header).get(number, b"")
    if len(raw) == 6:
        pseudonyms.mac(raw)


def _changed(data: bytes, header: int, change: Change) -> bytes:
    return data[:header] + packed((kind, change(kind & KIND, value)) for kind, value in attributes(data, header))


def _address(pseudonyms: Pseudonyms, value: bytes) -> bytes:
    return pseudonyms.hardware(value)


def _nested_addresses(pseudonyms: Pseudonyms, value: bytes) -> bytes:
    """Attributes of which those as long as an address are one."""
    return _changed(value, 0, lambda _, part: pseudonyms.hardware(part))


def _bridge_id(pseudonyms: Pseudonyms, value: bytes) -> bytes:
    """A bridge: its priority and its MAC address."""
    return value[:2] + pseudonyms.hardware(value[2:])


def _all(numbers: tuple[int, ...], part: Part) -> dict[int, Part]:
    return dict.fromkeys(numbers, part)


GRE, IP_TUNNEL = _all((6, 7), _address), _all((2, 3), _address)
# of a link's data, and of its data as a port, by kind
LINKS: dict[str, dict[int, Part]] = {
    "vxlan": _all((2, 4, 16, 17), _address), "geneve": _all((2, 7), _address), "vti": _all((4, 5), _address),
    "vti6": _all((4, 5), _address), "gre": GRE, "gretap": GRE, "erspan": GRE, "ip6gre": GRE, "ip6gretap": GRE,
    "ip6erspan": GRE, "ipip": IP_TUNNEL, "sit": IP_TUNNEL, "ip6tnl": IP_TUNNEL, "bridge": _all((10, 11), _bridge_id),
    "bond": {26: _address, **_all((8, 23, 31), _nested_addresses)},
    "macvlan": {4: _address, 5: _nested_addresses}, "macvtap": {4: _address, 5: _nested_addresses},
}  # fmt: skip
PORTS: dict[str, dict[int, Part]] = {"bond": {4: _address}, "bridge": _all((13, 14), _bridge_id)}


def _link_info(data: bytes, pseudonyms: Pseudonyms) -> bytes:
    found = by_kind(data)
    parts = {
        LINK_DATA: LINKS.get(text(found.get(LINK_KIND, b"")), {}),
        PORT_DATA: PORTS.get(text(found.get(PORT_KIND, b"")), {}),
    }

    def change(number: int, value: bytes) -> bytes:
        inside = parts.get(number)
        if not inside:
            return value
        return _changed(value, 0, lambda kind, part: inside[kind](pseudonyms, part) if kind in inside else part)

    return _changed(data, 0, change)


def _hops(data: bytes, change: Change) -> bytes:
    """The next hops of a multipath route."""
    out, offset = b"", 0
    while offset + RTNEXTHOP <= len(data):
        length = struct.unpack_from("=H", data, offset)[0]
        if length < RTNEXTHOP:
            break
        hop = _changed(data[offset : offset + length], RTNEXTHOP, change)
        out += hop + b"\0" * (-length % 4)
        offset += (length + 3) & ~3
    return out
