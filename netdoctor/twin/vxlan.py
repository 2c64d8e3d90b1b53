"""A VXLAN interface of the node: whether and how it is made in the copy, and its forwarding entries."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator, Mapping

from netdoctor.twin.state import IFLA_MTU, NUD_NOARP, NUD_PERMANENT, RTMSG, Link, State
from netdoctor.twin.wire import rtnl
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

VXLAN, AF_BRIDGE = "vxlan", 7
# of such an interface: its group or only peer, lower interface, own address, port, and whether programs steer it
GROUP, LOWER, LOCAL, PORT, GROUP6, LOCAL6, STEERED, TTL_INHERIT = 2, 3, 4, 15, 16, 17, 25, 28
MENTIONED = (21, 22, STEERED, TTL_INHERIT, 30)
NDA_DST, NDA_MAC, NDA_MASTER, NDA_DROPPED = 1, 2, 9, (3, 4)  # the last: the kernel's own notes
NTF_SELF, NTF_MASTER, NUD_REACHABLE = 0x02, 0x04, 0x02
LARGEST_MTU = 65535


def is_copied(link: Link) -> bool:
    """Whether a VXLAN interface is made as one: point to point, over IPv4, and not steered by programs."""
    data = by_kind(link.data)
    whole = link.kind == VXLAN and (len(data.get(LOCAL, b"")), len(data.get(PORT, b""))) == (4, 2)
    if not whole or {GROUP6, LOCAL6} & data.keys() or any(data.get(STEERED, b"")):
        return False
    return not ipaddress.ip_address(data.get(GROUP, bytes(4))).is_multicast


def port(link: Link) -> int:
    """The port of UDP that a VXLAN interface sends to."""
    return int.from_bytes(by_kind(link.data)[PORT], "big")


def makes(link: Link, head: bytes, links: Iterable[Link]) -> list[Request]:
    """Requests that make it over the lower interface, which keeps an MTU that has become too small since."""
    lower = next((each for each in links if each.index == _lower(link)), None)
    items = [(kind, value) for kind, value in options(link) if lower or kind & KIND != LOWER]
    make = rtnl.make_link(head + rtnl.linkinfo(VXLAN, packed(items)))
    if lower is None or lower.kind == "bridge":
        return [make]
    wide, own = (attribute(IFLA_MTU, struct.pack("=I", size)) for size in (LARGEST_MTU, lower.mtu))
    return [rtnl.change_link(lower.index, wide), make, rtnl.change_link(lower.index, own)]


def options(link: Link) -> Iterator[Attribute]:
    """What it was made with, to be sent. Of some options the kernel takes any mention for a yes."""
    for kind, value in attributes(link.data):
        if kind & KIND not in MENTIONED:
            yield kind, value
        elif any(value):
            yield kind, b"" if kind & KIND == TTL_INHERIT else value


def _lower(link: Link) -> int:
    found = by_kind(link.data).get(LOWER, b"")
    return u32(found) if len(found) == 4 else 0


def forwarding_entries(state: State, copied: Mapping[int, Link]) -> Iterator[Request]:
    """Requests for the entries of these VXLAN interfaces, and for those that somebody set at ports of bridges."""
    for body in state.node.neighbours:
        if body[0] != AF_BRIDGE:
            continue
        index, condition = struct.unpack_from("=iH", body, 4)
        found = by_kind(body, RTMSG)
        head = bytearray(body[:RTMSG])
        items = [(kind, value) for kind, value in attributes(body, RTMSG) if kind & KIND not in NDA_DROPPED]
        if index in copied and NDA_DST in found:
            head[10] |= NTF_SELF
            struct.pack_into("=H", head, 8, condition & (NUD_PERMANENT | NUD_NOARP) or NUD_REACHABLE)
            several = not any(found.get(NDA_MAC, b""))  # only of the entry for all others
            yield rtnl.NEW_NEIGHBOUR, bytes(head) + packed(items), CREATE | (APPEND if several else REPLACE)
        elif NDA_MASTER in found and condition & NUD_NOARP:
            head[10] |= NTF_MASTER
            kept = [(kind, value) for kind, value in items if kind & KIND != NDA_MASTER]
            yield rtnl.NEW_NEIGHBOUR, bytes(head) + packed(kept), CREATE | REPLACE
