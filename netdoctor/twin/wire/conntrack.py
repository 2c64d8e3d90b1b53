"""Tracked connections: dumped, deleted, and made again with their translations (nfnetlink_conntrack.h of Linux).

The kernel takes a translation as CTA_NAT_DST and CTA_NAT_SRC beside a reply tuple that is *not* translated; where the
reply tuple is, it says nothing and sets no translation (measured on 6.18).
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from netdoctor.errors import CannotRead
from netdoctor.twin.wire.netlink import (
    CREATE,
    EXCLUSIVE,
    KIND,
    NESTED,
    NETFILTER,
    Attribute,
    Netlink,
    attribute,
    attributes,
    by_kind,
    packed,
)
from netdoctor.twin.wire.nfnetlink import NFGENMSG, family_of, nfgenmsg
from netdoctor.twin.wire.uapi.nfnetlink import (
    CTA,
    CTA_IP,
    CTA_NAT,
    CTA_PROTO,
    CTA_PROTOINFO,
    CTA_PROTOINFO_TCP,
    CTA_PROTONAT,
    CTA_TUPLE,
    IPCTNL_MSG_CT,
    IPS,
    NFNL_SUBSYS,
    TCP_CONNTRACK,
)

SUBSYSTEM = NFNL_SUBSYS.CTNETLINK << 8
MOST = 2000  # entries; a question on a port of its own meets none of them, so they matter only to old sockets
TAKEN = (CTA.TUPLE_ORIG, CTA.TUPLE_REPLY, CTA.STATUS, CTA.PROTOINFO, CTA.TIMEOUT, CTA.MARK, CTA.ZONE)
# a header, the original tuple, its addresses, then the source's and the destination's: ctnetlink_fill_info
DESTINATION, DESTINATION6 = slice(24, 28), slice(36, 52)
PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}


class _Tuple:
    """One direction of a connection: addresses (CTA_IP), and protocol with ports (CTA_PROTO)."""

    def __init__(self, data: bytes) -> None:
        parts = by_kind(data)
        self.addresses = by_kind(parts.get(CTA_TUPLE.IP, b""))
        self.protocol = by_kind(parts.get(CTA_TUPLE.PROTO, b""))


@dataclass(frozen=True, slots=True)
class Established:
    """A tracked connection that both ends have spoken on: who asked whom, and who answers."""

    protocol: str
    source: str
    source_port: int
    destination: str
    port: int
    answers: str  # the address that answers, after translation
    answers_port: int
    seconds: int = 0  # until the entry expires, unless a packet comes
    seen_as: str = ""  # the address to which the answers go: that of the source as the other end sees it


def established(entries: Iterable[bytes], *, ended: bool = False) -> Iterator[Established]:
    """The TCP connections that are open, and the UDP exchanges that were answered, among these entries.

    `ended`: those too that are over, or that nobody has answered yet.
    """
    for body in entries:
        found = by_kind(body, NFGENMSG.size)
        asked, answers = _Tuple(found.get(CTA.TUPLE_ORIG, b"")), _Tuple(found.get(CTA.TUPLE_REPLY, b""))
        protocol = PROTOCOLS.get(int.from_bytes(asked.protocol.get(CTA_PROTO.NUM, b""), "big"), "")
        if not protocol or not (ended or _is_open(protocol, found)):
            continue
        source, destination = _ends(family_of(body))
        try:
            yield Established(
                protocol=protocol,
                source=_address(asked.addresses[source]),
                source_port=_port(asked.protocol[CTA_PROTO.SRC_PORT]),
                destination=_address(asked.addresses[destination]),
                port=_port(asked.protocol[CTA_PROTO.DST_PORT]),
                answers=_address(answers.addresses[source]),
                answers_port=_port(answers.protocol[CTA_PROTO.SRC_PORT]),
                seen_as=_address(answers.addresses[destination]),
                seconds=int.from_bytes(found.get(CTA.TIMEOUT, b""), "big"),
            )
        except (KeyError, struct.error, ValueError):  # an entry without ports
            continue


@dataclass(frozen=True, slots=True)
class Ends:
    """A tracked connection of any protocol: who asked whom, and who answers whom."""

    source: str
    destination: str
    reply_source: str
    reply_destination: str

    @classmethod
    def of(cls, entry: bytes) -> Ends:
        """The ends of an entry as the kernel dumps it. Raises KeyError, ValueError for another message."""
        found = by_kind(entry, NFGENMSG.size)
        asked, answers = (_Tuple(found[kind]).addresses for kind in (CTA.TUPLE_ORIG, CTA.TUPLE_REPLY))
        source, destination = _ends(family_of(entry))
        addresses = (asked[source], asked[destination], answers[source], answers[destination])
        return cls(*map(_address, addresses))


def towards(addresses: Iterable[str], entries: Iterable[bytes]) -> Iterator[bytes]:
    """The entries of connections to one of these addresses, by where the kernel writes that first of all."""
    wanted = {socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses}
    yield from (body for body in entries if body[DESTINATION] in wanted or body[DESTINATION6] in wanted)


def _is_open(protocol: str, found: dict[int, bytes]) -> bool:
    """Whether a connection of TCP is established, or an exchange of UDP was answered."""
    if protocol == "tcp":
        of_tcp = by_kind(by_kind(found.get(CTA.PROTOINFO, b"")).get(CTA_PROTOINFO.TCP, b""))
        return of_tcp.get(CTA_PROTOINFO_TCP.STATE, b"") == bytes([TCP_CONNTRACK.ESTABLISHED])
    return bool(int.from_bytes(found.get(CTA.STATUS, b""), "big") & IPS.SEEN_REPLY)


def _ends(family: int) -> tuple[int, int]:
    """The attributes of the source's and the destination's address in this family."""
    return (CTA_IP.V4_SRC, CTA_IP.V4_DST) if family == socket.AF_INET else (CTA_IP.V6_SRC, CTA_IP.V6_DST)


def _address(raw: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _port(raw: bytes) -> int:
    return int(struct.unpack("!H", raw)[0])


def dump(most: int | None = MOST) -> tuple[bytes, ...]:
    """The first connections of this thread's namespace (`most` None: all), of both families.

    Empty where the kernel does not say.
    """
    with Netlink(NETFILTER) as netlink:
        try:
            return tuple(body for _, body in netlink.dump(SUBSYSTEM | IPCTNL_MSG_CT.GET, nfgenmsg(0))[:most])
        except OSError:  # a kernel without ctnetlink
            return ()


def find(protocol: str, source: str, source_port: int, destination: str, port: int) -> Established | None:
    """The connection that was asked so, in this thread's namespace; None where it is not tracked.

    Raises OSError where the kernel refuses the question, CannotRead where it cannot be asked.
    """
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    number = next(number for number, word in PROTOCOLS.items() if word == protocol)
    from_address, to_address = _ends(family)
    addresses = packed(
        [(from_address, socket.inet_pton(family, source)), (to_address, socket.inet_pton(family, destination))]
    )
    ends = packed(
        [
            (CTA_PROTO.NUM, bytes([number])),
            (CTA_PROTO.SRC_PORT, struct.pack("!H", source_port)),
            (CTA_PROTO.DST_PORT, struct.pack("!H", port)),
        ]
    )
    asked = attribute(CTA_TUPLE.IP | NESTED, addresses) + attribute(CTA_TUPLE.PROTO | NESTED, ends)
    with Netlink(NETFILTER) as netlink:
        body = netlink.get(SUBSYSTEM | IPCTNL_MSG_CT.GET, nfgenmsg(family) + attribute(CTA.TUPLE_ORIG | NESTED, asked))
    return next(established([body], ended=True), None) if body else None


def load(entries: Iterable[bytes]) -> int:
    """Make them in this thread's namespace; how many the kernel took."""
    requests = [(SUBSYSTEM | IPCTNL_MSG_CT.NEW, _message(body), CREATE | EXCLUSIVE) for body in entries]
    if not requests:
        return 0
    with Netlink(NETFILTER) as netlink:
        return netlink.request(requests).count(0)


def delete(chosen: Callable[[Ends], bool], *, loads: bool = False) -> int:
    """Delete the connections of this thread's namespace that are `chosen`; how many there still were.

    `loads`: whether the kernel may load a module to do so. Raises CannotRead.
    """
    with Netlink(NETFILTER, loads=loads) as netlink:
        try:
            entries = [body for _, body in netlink.dump(SUBSYSTEM | IPCTNL_MSG_CT.GET, nfgenmsg(0))]
            requests = [(SUBSYSTEM | IPCTNL_MSG_CT.DELETE, _name(body), 0) for body in entries if chosen(Ends.of(body))]
            codes = netlink.request(requests)
        except OSError as error:
            raise CannotRead.of("conntrack", error, "connections cannot be deleted: ") from error
    refused = sorted(set(codes) - {0, errno.ENOENT})  # the latter has ended meanwhile
    if refused:
        raise CannotRead.of("conntrack", refused[0], "a connection cannot be deleted: ")
    return codes.count(0)


def _name(entry: bytes) -> bytes:
    """The message that means this entry and no later one with the same ends."""
    found = {kind & KIND: (kind, value) for kind, value in attributes(entry, NFGENMSG.size)}
    named = [found[number] for number in (CTA.TUPLE_ORIG, CTA.ZONE, CTA.ID) if number in found]
    return nfgenmsg(family_of(entry)) + packed(named)


@lru_cache(maxsize=2 * MOST)  # each copy of a node asks for the same
def _message(body: bytes) -> bytes:
    family = family_of(body)
    found = {kind & KIND: (kind, value) for kind, value in attributes(body, NFGENMSG.size)}
    items: list[Attribute] = [found[number] for number in TAKEN if number in found]
    asked, answers = _Tuple(found[CTA.TUPLE_ORIG][1]), _Tuple(found[CTA.TUPLE_REPLY][1])
    translations = list(_translations(asked, answers, family))
    items += translations
    if translations and CTA_PROTO.SRC_PORT in asked.protocol:
        reply = _plain_reply(asked, family)
        items = [(kind, reply) if kind & KIND == CTA.TUPLE_REPLY else (kind, value) for kind, value in items]
    return nfgenmsg(family) + packed(items)


def _translations(asked: _Tuple, answers: _Tuple, family: int) -> Iterator[Attribute]:
    """CTA_NAT_DST and CTA_NAT_SRC, where the answer comes from elsewhere or goes elsewhere than was asked."""
    source, destination = _ends(family)
    for number, mine, theirs, my_port, their_port in (
        (CTA.NAT_DST, destination, source, CTA_PROTO.DST_PORT, CTA_PROTO.SRC_PORT),
        (CTA.NAT_SRC, source, destination, CTA_PROTO.SRC_PORT, CTA_PROTO.DST_PORT),
    ):
        address, port = answers.addresses.get(theirs), answers.protocol.get(their_port)
        before = asked.addresses.get(mine), asked.protocol.get(my_port)
        if address is not None and before != (address, port):
            yield number | NESTED, _translation(address, port, family)


def _translation(address: bytes, port: bytes | None, family: int) -> bytes:
    """The content of CTA_NAT_DST or CTA_NAT_SRC: a range of one address, and of one port where there is one."""
    low, high = CTA_NAT.V6_MINIP, CTA_NAT.V6_MAXIP
    if family == socket.AF_INET:
        low, high = CTA_NAT.V4_MINIP, CTA_NAT.V4_MAXIP
    addresses = packed([(low, address), (high, address)])
    if not port:
        return addresses
    ports = packed([(CTA_PROTONAT.PORT_MIN, port), (CTA_PROTONAT.PORT_MAX, port)])
    return addresses + attribute(CTA_NAT.PROTO | NESTED, ports)


def _plain_reply(asked: _Tuple, family: int) -> bytes:
    """The reply tuple of a connection that nothing translates."""
    source, destination = _ends(family)
    addresses = packed([(source, asked.addresses[destination]), (destination, asked.addresses[source])])
    protocol = packed(
        [
            (CTA_PROTO.NUM, asked.protocol[CTA_PROTO.NUM]),
            (CTA_PROTO.SRC_PORT, asked.protocol[CTA_PROTO.DST_PORT]),
            (CTA_PROTO.DST_PORT, asked.protocol[CTA_PROTO.SRC_PORT]),
        ]
    )
    return attribute(CTA_TUPLE.IP | NESTED, addresses) + attribute(CTA_TUPLE.PROTO | NESTED, protocol)
