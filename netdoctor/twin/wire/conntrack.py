"""Tracked connections: dumped, and made again with their translations (linux/netfilter/nfnetlink_conntrack.h).

The kernel takes a translation as CTA_NAT_DST and CTA_NAT_SRC beside a reply tuple that is *not* translated; where the
reply tuple is, it says nothing and sets no translation (measured on 6.18).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

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
)  # fmt: skip
from netdoctor.twin.wire.nftables import nfgenmsg

SUBSYSTEM = 1 << 8
GET = SUBSYSTEM | 1
MOST = 2000  # entries; a question on a port of its own meets none of them, so they matter only to old sockets
ORIGINAL, REPLY, NAT_SOURCE, NAT_DESTINATION = 1, 2, 6, 13
TAKEN = (ORIGINAL, REPLY, 3, 4, 7, 8, 18)  # tuples, status, protocol's state, timeout, mark, zone
STATUS, STATE_OF_PROTOCOL, SEEN_REPLY, TCP_ESTABLISHED = 3, 4, 2, 3
PROTOCOLS = {6: "tcp", 17: "udp"}
Tuple = tuple[dict[int, bytes], dict[int, bytes]]  # addresses, and protocol with ports


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


def established(entries: Iterable[bytes], *, ended: bool = False) -> Iterator[Established]:
    """The TCP connections that are open, and the UDP exchanges that were answered, among these entries.

    `ended`: those too that are over, or that nobody has answered yet.
    """
    for body in entries:
        found = by_kind(body, 4)
        asked, answers = _tuple(found.get(ORIGINAL, b"")), _tuple(found.get(REPLY, b""))
        protocol = PROTOCOLS.get(int.from_bytes(asked[1].get(1, b""), "big"), "")
        status = int.from_bytes(found.get(STATUS, b""), "big")
        of_tcp = by_kind(by_kind(found.get(STATE_OF_PROTOCOL, b"")).get(1, b""))
        open_ = of_tcp.get(1, b"") == bytes([TCP_ESTABLISHED]) if protocol == "tcp" else bool(status & SEEN_REPLY)
        if not protocol or not (open_ or ended):
            continue
        source, destination = (1, 2) if body[0] == socket.AF_INET else (3, 4)
        try:
            yield Established(
                protocol,
                _address(asked[0][source]), _port(asked[1][2]), _address(asked[0][destination]), _port(asked[1][3]),
                _address(answers[0][source]), _port(answers[1][2]),
            )  # fmt: skip
        except (KeyError, struct.error, ValueError):  # an entry without ports
            continue


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
            return tuple(body for _, body in netlink.dump(GET, nfgenmsg(0))[:most])
        except OSError:  # a kernel without ctnetlink
            return ()


def load(entries: Iterable[bytes]) -> int:
    """Make them in this thread's namespace; how many the kernel took."""
    requests = [(SUBSYSTEM, _message(body), CREATE | EXCLUSIVE) for body in entries]
    if not requests:
        return 0
    with Netlink(NETFILTER) as netlink:
        return netlink.request(requests).count(0)


def _tuple(data: bytes) -> Tuple:
    parts = by_kind(data)
    return by_kind(parts.get(1, b"")), by_kind(parts.get(2, b""))


@lru_cache(maxsize=2 * MOST)  # each copy of a node asks for the same
def _message(body: bytes) -> bytes:
    family = body[0]
    found = {kind & KIND: (kind, value) for kind, value in attributes(body, 4)}
    items: list[Attribute] = [found[number] for number in TAKEN if number in found]
    asked, answers = _tuple(found[ORIGINAL][1]), _tuple(found[REPLY][1])
    source, destination, low, high = (1, 2, 1, 2) if family == 2 else (3, 4, 4, 5)
    translated = False
    for number, mine, theirs, my_port, their_port in (
        (NAT_DESTINATION, destination, source, 3, 2), (NAT_SOURCE, source, destination, 2, 3),
    ):  # fmt: skip
        address, port = answers[0].get(theirs), answers[1].get(their_port)
        if address is None or (asked[0].get(mine), asked[1].get(my_port)) == (address, port):
            continue
        ports = attribute(3 | NESTED, packed([(1, port), (2, port)])) if port else b""
        items.append((number | NESTED, packed([(low, address), (high, address)]) + ports))
        translated = True
    if translated and 2 in asked[1]:
        plain = packed([(source, asked[0][destination]), (destination, asked[0][source])])
        ports = packed([(1, asked[1][1]), (2, asked[1][3]), (3, asked[1][2])])
        reply = attribute(1 | NESTED, plain) + attribute(2 | NESTED, ports)
        items = [(kind, reply) if kind & KIND == REPLY else (kind, value) for kind, value in items]
    return nfgenmsg(family) + packed(items)
