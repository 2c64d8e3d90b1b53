"""The kernel's messages on links, addresses, routes, neighbours and connections with other addresses.

Layouts: linux/if_link.h, if_addr.h, rtnetlink.h, fib_rules.h, neighbour.h, nexthop.h, nfnetlink_conntrack.h.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.wire.messages import (
    AddressMessage,
    LinkMessage,
    NeighbourMessage,
    NextHopMessage,
    RouteHop,
    RouteMessage,
    RuleMessage,
    joined_hops,
    next_hops,
)
from netdoctor.twin.wire.netlink import KIND, attributes, by_kind, packed, text
from netdoctor.twin.wire.nfnetlink import NFGENMSG
from netdoctor.twin.wire.uapi.if_link import (
    IFLA,
    IFLA_BOND,
    IFLA_BOND_SLAVE,
    IFLA_BR,
    IFLA_BRPORT,
    IFLA_GENEVE,
    IFLA_GRE,
    IFLA_INET6,
    IFLA_INFO,
    IFLA_IPTUN,
    IFLA_MACVLAN,
    IFLA_VTI,
    IFLA_VXLAN,
)
from netdoctor.twin.wire.uapi.nfnetlink import CTA, CTA_TUPLE
from netdoctor.twin.wire.uapi.rtnetlink import FRA, IFA, NDA, NHA, RTA

# of a link: alias, the maker's numbers of the port and of the switch, other names
DROPPED = (IFLA.IFALIAS, IFLA.PHYS_PORT_ID, IFLA.PHYS_SWITCH_ID, IFLA.PROP_LIST)
LINK_ADDRESSES = (IFLA.ADDRESS, IFLA.BROADCAST, IFLA.PERM_ADDRESS)
ADDRESSES = (IFA.ADDRESS, IFA.LOCAL, IFA.BROADCAST, IFA.ANYCAST, IFA.MULTICAST)
FAMILY = 2  # bytes before the address in RTA_VIA
TUPLES = (CTA.TUPLE_ORIG, CTA.TUPLE_REPLY, CTA.TUPLE_MASTER)

Part = Callable[[Pseudonyms, bytes], bytes]
Change = Callable[[int, bytes], bytes]


def link(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """An interface: its link-layer addresses, and those in what its kind says; without its alias and other names."""

    def change(number: int, value: bytes) -> bytes:
        if number in LINK_ADDRESSES:
            return pseudonyms.hardware(value)
        if number == IFLA.AF_SPEC:
            return _changed(value, 0, of_family)
        return _link_info(value, pseudonyms) if number == IFLA.LINKINFO else value

    def of_family(family: int, value: bytes) -> bytes:
        return _changed(value, 0, token) if family == socket.AF_INET6 else value

    def token(number: int, value: bytes) -> bytes:
        return pseudonyms.raw(value) if number == IFLA_INET6.TOKEN else value

    header = LinkMessage.HEADER.size
    items = packed(item for item in attributes(body, header) if item[0] & KIND not in DROPPED)
    return body[:header] + pseudonyms.swept(_changed(items, 0, change))


def address(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """An address of an interface."""

    def change(number: int, value: bytes) -> bytes:
        return pseudonyms.raw(value) if number in ADDRESSES else value

    return pseudonyms.swept(_changed(body, AddressMessage.HEADER.size, change))


def route(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A route: its prefix, its gateways and the address that it prefers."""
    message = RouteMessage(body)
    lengths: dict[int, int] = {RTA.DST: message.destination_length, RTA.SRC: message.source_length}

    def change(number: int, value: bytes) -> bytes:
        if number in lengths:
            return pseudonyms.prefix(value, lengths[number])
        if number in (RTA.GATEWAY, RTA.PREFSRC):
            return pseudonyms.raw(value)
        if number == RTA.VIA:
            return value[:FAMILY] + pseudonyms.raw(value[FAMILY:])
        if number == RTA.MULTIPATH:
            return joined_hops(_changed(hop, RouteHop.HEADER.size, change) for hop in next_hops(value))
        return _nested_addresses(pseudonyms, value) if number == RTA.ENCAP else value

    return _changed(body, message.HEADER.size, change)


def rule(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A rule of routing: its prefixes, and interfaces named by their MAC address."""
    message = RuleMessage(body)
    lengths: dict[int, int] = {FRA.DST: message.destination_length, FRA.SRC: message.source_length}

    def change(number: int, value: bytes) -> bytes:
        return pseudonyms.prefix(value, lengths[number]) if number in lengths else value

    return pseudonyms.swept(_changed(body, message.HEADER.size, change))


def neighbour(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A neighbour, or an entry of a bridge."""

    def change(number: int, value: bytes) -> bytes:
        return pseudonyms.hardware(value) if number in (NDA.DST, NDA.LLADDR) else value

    return _changed(body, NeighbourMessage.HEADER.size, change)


def nexthop(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A next hop that routes name by its number."""

    def change(number: int, value: bytes) -> bytes:
        if number == NHA.GATEWAY:
            return pseudonyms.raw(value)
        return _nested_addresses(pseudonyms, value) if number == NHA.ENCAP else value

    return _changed(body, NextHopMessage.HEADER.size, change)


def connection(body: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A tracked connection: who asked whom, and who answers."""

    def inside(number: int, value: bytes) -> bytes:
        return _nested_addresses(pseudonyms, value) if number == CTA_TUPLE.IP else value

    def change(number: int, value: bytes) -> bytes:
        return _changed(value, 0, inside) if number in TUPLES else value

    return _changed(body, NFGENMSG.size, change)


def meet_network(body: bytes, pseudonyms: Pseudonyms) -> None:
    """See the network of an interface's address: a large one moves as a whole."""
    own = AddressMessage(body)
    if len(own.address) in (4, 16):
        pseudonyms.connect(own.address, own.prefix_length)


def meet_hardware(address: bytes, pseudonyms: Pseudonyms) -> None:
    """See a MAC address first where it is whole: other messages hold parts of it."""
    if len(address) == 6:
        pseudonyms.mac(address)


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


GRE = _all((IFLA_GRE.LOCAL, IFLA_GRE.REMOTE), _address)
IP_TUNNEL = _all((IFLA_IPTUN.LOCAL, IFLA_IPTUN.REMOTE), _address)
VTI = _all((IFLA_VTI.LOCAL, IFLA_VTI.REMOTE), _address)
VXLAN = _all((IFLA_VXLAN.GROUP, IFLA_VXLAN.LOCAL, IFLA_VXLAN.GROUP6, IFLA_VXLAN.LOCAL6), _address)
GENEVE = _all((IFLA_GENEVE.REMOTE, IFLA_GENEVE.REMOTE6), _address)
MACVLAN: dict[int, Part] = {IFLA_MACVLAN.MACADDR: _address, IFLA_MACVLAN.MACADDR_DATA: _nested_addresses}
BOND = {
    IFLA_BOND.AD_ACTOR_SYSTEM: _address,
    **_all((IFLA_BOND.ARP_IP_TARGET, IFLA_BOND.AD_INFO, IFLA_BOND.NS_IP6_TARGET), _nested_addresses),
}
# of a link's data, and of its data as a port, by kind
LINKS: dict[str, dict[int, Part]] = {
    "vxlan": VXLAN,
    "geneve": GENEVE,
    **dict.fromkeys(("vti", "vti6"), VTI),
    **dict.fromkeys(("gre", "gretap", "erspan", "ip6gre", "ip6gretap", "ip6erspan"), GRE),
    **dict.fromkeys(("ipip", "sit", "ip6tnl"), IP_TUNNEL),
    "bridge": _all((IFLA_BR.ROOT_ID, IFLA_BR.BRIDGE_ID), _bridge_id),
    "bond": BOND,
    **dict.fromkeys(("macvlan", "macvtap"), MACVLAN),
}
PORTS: dict[str, dict[int, Part]] = {
    "bond": {IFLA_BOND_SLAVE.PERM_HWADDR: _address},
    "bridge": _all((IFLA_BRPORT.ROOT_ID, IFLA_BRPORT.BRIDGE_ID), _bridge_id),
}


def _link_info(data: bytes, pseudonyms: Pseudonyms) -> bytes:
    found = by_kind(data)
    parts: dict[int, dict[int, Part]] = {
        IFLA_INFO.DATA: LINKS.get(text(found.get(IFLA_INFO.KIND, b"")), {}),
        IFLA_INFO.SLAVE_DATA: PORTS.get(text(found.get(IFLA_INFO.SLAVE_KIND, b"")), {}),
    }

    def change(number: int, value: bytes) -> bytes:
        inside = parts.get(number)
        if not inside:
            return value
        return _changed(value, 0, lambda kind, part: inside[kind](pseudonyms, part) if kind in inside else part)

    return _changed(data, 0, change)
