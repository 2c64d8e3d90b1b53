"""A VXLAN interface of the node: whether and how it is made in the copy, and its forwarding entries."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping

from netdoctor.twin.state import Link, State
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import NeighbourMessage
from netdoctor.twin.wire.netlink import (
    APPEND,
    CREATE,
    KIND,
    REPLACE,
    Attribute,
    attribute,
    attributes,
    by_kind,
    packed,
    u32,
)
from netdoctor.twin.wire.rtnl import Request
from netdoctor.twin.wire.uapi.if_link import IFLA, IFLA_VXLAN
from netdoctor.twin.wire.uapi.rtnetlink import NDA, NTF, NUD, RTM

VXLAN = "vxlan"
# of these options the kernel takes any mention for a yes
MENTIONED = (
    IFLA_VXLAN.REMCSUM_TX,
    IFLA_VXLAN.REMCSUM_RX,
    IFLA_VXLAN.COLLECT_METADATA,
    IFLA_VXLAN.TTL_INHERIT,
    IFLA_VXLAN.VNIFILTER,
)
NOTES = (NDA.CACHEINFO, NDA.PROBES)  # the kernel's own
LARGEST_MTU = 65535


def is_copied(link: Link) -> bool:
    """Whether a VXLAN interface is made as one: point to point, over IPv4, and not steered by programs."""
    data = by_kind(link.data)
    own, port_number = data.get(IFLA_VXLAN.LOCAL, b""), data.get(IFLA_VXLAN.PORT, b"")
    if link.kind != VXLAN or (len(own), len(port_number)) != (4, 2):
        return False
    over_ipv6 = {IFLA_VXLAN.GROUP6, IFLA_VXLAN.LOCAL6} & data.keys()
    if over_ipv6 or any(data.get(IFLA_VXLAN.COLLECT_METADATA, b"")):
        return False
    return not ipaddress.ip_address(data.get(IFLA_VXLAN.GROUP, bytes(4))).is_multicast


def port(link: Link) -> int:
    """The port of UDP that a VXLAN interface sends to."""
    return int.from_bytes(by_kind(link.data)[IFLA_VXLAN.PORT], "big")


def makes(link: Link, head: bytes, links: Iterable[Link]) -> list[Request]:
    """Requests that make it over the lower interface, which keeps an MTU that has become too small since."""
    lower = next((each for each in links if each.index == _lower(link)), None)
    items = [(kind, value) for kind, value in options(link) if lower or kind & KIND != IFLA_VXLAN.LINK]
    make = rtnl.make_link(head + rtnl.linkinfo(VXLAN, packed(items)))
    if lower is None or lower.kind == "bridge":
        return [make]
    wide, own = (attribute(IFLA.MTU, struct.pack("=I", size)) for size in (LARGEST_MTU, lower.mtu))
    return [rtnl.change_link(lower.index, wide), make, rtnl.change_link(lower.index, own)]


def options(link: Link) -> Iterator[Attribute]:
    """What it was made with, to be sent."""
    for kind, value in attributes(link.data):
        if kind & KIND not in MENTIONED:
            yield kind, value
        elif any(value):
            yield kind, b"" if kind & KIND == IFLA_VXLAN.TTL_INHERIT else value


def _lower(link: Link) -> int:
    found = by_kind(link.data).get(IFLA_VXLAN.LINK, b"")
    return u32(found) if len(found) == 4 else 0


def forwarding_entries(state: State, copied: Mapping[int, Link]) -> Iterator[Request]:
    """Requests for the entries of these VXLAN interfaces, and for those that somebody set at ports of bridges."""
    for body in state.node.neighbours:
        entry = NeighbourMessage(body)
        if entry.family != socket.AF_BRIDGE:
            continue
        if entry.index in copied and NDA.DST in entry.attributes:
            yield _tunnel_entry(entry)
        elif NDA.MASTER in entry.attributes and entry.state & NUD.NOARP:
            yield _port_entry(entry)


def _tunnel_entry(entry: NeighbourMessage) -> Request:
    """Which node a MAC address is on."""
    condition = entry.state & (NUD.PERMANENT | NUD.NOARP) or NUD.REACHABLE
    several = not any(entry.link_layer_address)  # only of the entry for all others
    made = entry.header(condition, entry.flags | NTF.SELF) + _without(entry, NOTES)
    return RTM.NEWNEIGH, made, CREATE | (APPEND if several else REPLACE)


def _port_entry(entry: NeighbourMessage) -> Request:
    """Which port of a bridge a MAC address is at."""
    made = entry.header(entry.state, entry.flags | NTF.MASTER) + _without(entry, (*NOTES, NDA.MASTER))
    return RTM.NEWNEIGH, made, CREATE | REPLACE


def _without(entry: NeighbourMessage, left_out: Collection[int]) -> bytes:
    """The attributes of an entry without these."""
    items = attributes(entry.body, entry.HEADER.size)
    return packed((kind, value) for kind, value in items if kind & KIND not in left_out)
