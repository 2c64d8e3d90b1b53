"""The kernel's messages on links, addresses, routes, rules and neighbours, read: the fixed header, and the attributes.

Each class names its structure of C and the header that has it. Addresses are bytes, b"" where there is none. A message
that is cut short raises struct.error.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import ClassVar

from netdoctor.twin.wire.netlink import by_kind, u32
from netdoctor.twin.wire.uapi.rtnetlink import FRA, IFA, NDA, NUD, RTA

# NUD_VALID of the kernel's net/neighbour.h: it has a link-layer address for the neighbour
NUD_VALID = NUD.PERMANENT | NUD.NOARP | NUD.REACHABLE | NUD.PROBE | NUD.STALE | NUD.DELAY


class _Message:
    """A message as dumped: a header of fixed size, and attributes."""

    HEADER: ClassVar[struct.Struct]

    def __init__(self, body: bytes) -> None:
        self.body = body

    @cached_property
    def attributes(self) -> dict[int, bytes]:
        """The attributes by number."""
        return by_kind(self.body, self.HEADER.size)

    @classmethod
    def request_for(cls, family: int = socket.AF_UNSPEC) -> bytes:
        """The body of a request to dump all messages of a family."""
        return bytes([family]) + b"\0" * (cls.HEADER.size - 1)


class LinkMessage(_Message):
    """A link: struct ifinfomsg (linux/rtnetlink.h)."""

    HEADER = struct.Struct("=BxHiII")
    family: int
    type: int
    index: int
    flags: int
    change: int

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.family, self.type, self.index, self.flags, self.change = self.HEADER.unpack_from(body)


class AddressMessage(_Message):
    """An address of a link: struct ifaddrmsg (linux/if_addr.h)."""

    HEADER = struct.Struct("=BBBBI")
    family: int
    prefix_length: int
    header_flags: int
    scope: int
    index: int

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.family, self.prefix_length, self.header_flags, self.scope, self.index = self.HEADER.unpack_from(body)

    @property
    def address(self) -> bytes:
        """The link's own address; with a peer's, IFA_ADDRESS is the peer's."""
        return self.attributes.get(IFA.LOCAL, self.attributes.get(IFA.ADDRESS, b""))

    @property
    def flags(self) -> int:
        """All flags: the header has room for eight."""
        return u32(self.attributes[IFA.FLAGS]) if IFA.FLAGS in self.attributes else self.header_flags


class RouteMessage(_Message):
    """A route: struct rtmsg (linux/rtnetlink.h)."""

    HEADER = struct.Struct("=BBBBBBBBI")
    family: int
    destination_length: int
    source_length: int
    tos: int
    header_table: int
    protocol: int
    scope: int
    type: int
    flags: int

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        (
            self.family,
            self.destination_length,
            self.source_length,
            self.tos,
            self.header_table,
            self.protocol,
            self.scope,
            self.type,
            self.flags,
        ) = self.HEADER.unpack_from(body)

    def header(self, *, table: int | None = None, flags: int | None = None) -> bytes:
        """The header, with another table or other flags where they are given."""
        return self.HEADER.pack(
            self.family,
            self.destination_length,
            self.source_length,
            self.tos,
            self.header_table if table is None else table,
            self.protocol,
            self.scope,
            self.type,
            self.flags if flags is None else flags,
        )

    @property
    def table(self) -> int:
        """The table: the header has room for numbers up to 255."""
        return u32(self.attributes[RTA.TABLE]) if RTA.TABLE in self.attributes else self.header_table

    @property
    def destination(self) -> bytes:
        """The first address of the network that it leads to."""
        return self.attributes.get(RTA.DST, b"")

    @property
    def gateway(self) -> bytes:
        """The gateway of its only next hop."""
        return self.attributes.get(RTA.GATEWAY, b"")

    @property
    def device(self) -> int:
        """The index of the interface of its only next hop, 0 for none."""
        return u32(self.attributes[RTA.OIF]) if RTA.OIF in self.attributes else 0

    @property
    def hops(self) -> Iterator[RouteHop]:
        """Its next hops where it has several."""
        return map(RouteHop, next_hops(self.attributes.get(RTA.MULTIPATH, b"")))


class RouteHop(_Message):
    """One next hop of several: struct rtnexthop (linux/rtnetlink.h)."""

    HEADER = struct.Struct("=HBBi")
    length: int
    flags: int
    hops: int
    device: int

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.length, self.flags, self.hops, self.device = self.HEADER.unpack_from(body)

    def with_flags(self, flags: int) -> bytes:
        """The same next hop with other flags."""
        return self.HEADER.pack(self.length, flags, self.hops, self.device) + self.body[self.HEADER.size :]

    @property
    def gateway(self) -> bytes:
        """Its gateway."""
        return self.attributes.get(RTA.GATEWAY, b"")


class RuleMessage(_Message):
    """A routing rule: struct fib_rule_hdr (linux/fib_rules.h)."""

    HEADER = struct.Struct("=BBBBBxxBI")
    family: int
    destination_length: int
    source_length: int
    tos: int
    header_table: int
    action: int
    flags: int

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        (
            self.family,
            self.destination_length,
            self.source_length,
            self.tos,
            self.header_table,
            self.action,
            self.flags,
        ) = self.HEADER.unpack_from(body)

    @property
    def table(self) -> int:
        """The table: the header has room for numbers up to 255."""
        return u32(self.attributes[FRA.TABLE]) if FRA.TABLE in self.attributes else self.header_table

    @property
    def priority(self) -> int:
        """When it is asked: the lowest first."""
        return u32(self.attributes[FRA.PRIORITY]) if FRA.PRIORITY in self.attributes else 0

    @property
    def source(self) -> bytes:
        """The first address of the network that packets come from."""
        return self.attributes.get(FRA.SRC, b"")


class NeighbourMessage(_Message):
    """A neighbour, or an entry of a bridge: struct ndmsg (linux/neighbour.h)."""

    HEADER = struct.Struct("=BxxxiHBB")
    family: int
    index: int
    state: int
    flags: int
    type: int

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.family, self.index, self.state, self.flags, self.type = self.HEADER.unpack_from(body)

    def header(self, state: int, flags: int) -> bytes:
        """The header with another state and other flags."""
        return self.HEADER.pack(self.family, self.index, state, flags, self.type)

    @property
    def destination(self) -> bytes:
        """The neighbour's address, or of an entry the other end of a tunnel."""
        return self.attributes.get(NDA.DST, b"")

    @property
    def link_layer_address(self) -> bytes:
        """The neighbour's link-layer address."""
        return self.attributes.get(NDA.LLADDR, b"")


class NextHopMessage(_Message):
    """A next hop that routes name by its number: struct nhmsg (linux/nexthop.h)."""

    HEADER = struct.Struct("=BBBxI")


class QueueMessage(_Message):
    """A queue or a filter of a link: struct tcmsg (linux/rtnetlink.h)."""

    HEADER = struct.Struct("=BxHiIII")
    family: int
    index: int
    handle: int
    parent: int
    info: int

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.family, _, self.index, self.handle, self.parent, self.info = self.HEADER.unpack_from(body)


def next_hops(data: bytes) -> Iterator[bytes]:
    """The next hops in RTA_MULTIPATH, each with its header and its attributes."""
    offset = 0
    while offset + RouteHop.HEADER.size <= len(data):
        length, *_ = RouteHop.HEADER.unpack_from(data, offset)
        if length < RouteHop.HEADER.size:
            break
        yield data[offset : offset + length]
        offset += (length + 3) & ~3


def joined_hops(hops: Iterable[bytes]) -> bytes:
    """The content of RTA_MULTIPATH: next hops, each padded."""
    return b"".join(hop + b"\0" * (-RouteHop(hop).length % 4) for hop in hops)
