"""A whole nftables ruleset as the kernel dumps it, and back, iptables-nft's tables included.

`nft list ruleset | nft -f` is no copy: it loads what nft made of xtables matches, and iptables-nft then calls its own
tables incompatible. What the kernel dumps goes back as it came, but for attributes that its own parser refuses
(linux/netfilter/nf_tables.h; measured on kernel 6.18).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from netdoctor.twin.wire.netlink import (
    APPEND,
    CREATE,
    ERROR,
    KIND,
    NESTED,
    NETFILTER,
    REPLACE,
    REQUEST,
    Attribute,
    Netlink,
    attribute,
    attributes,
    by_kind,
    message,
    messages,
    name_of,
    packed,
    text,
)

SUBSYSTEM, ACCT = 10 << 8, 7 << 8
BATCH_BEGIN, BATCH_END = 0x10, 0x11
TABLE, CHAIN, RULE, SET, ELEMENTS, OBJECT, FLOWTABLE = 0, 3, 6, 9, 12, 18, 22
GET = {TABLE: 1, CHAIN: 4, RULE: 7, SET: 10, ELEMENTS: 13, OBJECT: 19, FLOWTABLE: 23}
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
NUMBERS = {name: number for number, name in FAMILIES.items()}
# handles, use counts and positions are the kernel's; a set's type and count (19, 20) it dumps and does not take
READ_ONLY = {
    TABLE: {3, 4, 5, 7}, CHAIN: {2, 6, 9, 11}, RULE: {3, 6, 8, 9, 10, 11}, SET: {14, 16, 19, 20},
    ELEMENTS: set[int](), OBJECT: {5, 6, 7}, FLOWTABLE: {4, 5, 6},
}  # fmt: skip
DORMANT = 1  # the only table flag that is copied: an owner would be this process
RULE_TABLE, RULE_CHAIN, RULE_HANDLE, RULE_EXPRESSIONS, RULE_COMPAT, RULE_USERDATA = 1, 2, 3, 4, 5, 7
SET_ID = 10
SET_FLAGS, ANONYMOUS = 3, 1
CHAIN_FLAGS, BINDING = 10, 4
MESSAGE_ROOM, BATCH_ROOM = 24, 1024  # bytes of each message's headers, and of a batch's beginning and end


@dataclass(frozen=True, slots=True)
class NftObject:
    """One object of a ruleset as dumped: what it is, its family, and its attributes."""

    kind: int  # TABLE, CHAIN ...
    family: int
    body: bytes

    @property
    def attributes(self) -> dict[int, bytes]:
        """Its attributes by number."""
        return by_kind(self.body)

    @property
    def place(self) -> tuple[str, str, str]:
        """Family and table, and for a rule its chain."""
        found = self.attributes
        chain = text(found[RULE_CHAIN]) if self.kind == RULE else ""
        return FAMILIES.get(self.family, str(self.family)), text(found[RULE_TABLE]), chain

    @property
    def handle(self) -> int:
        """A rule's handle."""
        return int.from_bytes(self.attributes[RULE_HANDLE], "big")


def nfgenmsg(family: int, resource: int = 0) -> bytes:
    """The header of every message of netfilter's."""
    return struct.pack(">BBH", family, 0, resource)


def dump() -> tuple[NftObject, ...]:
    """Every object of this thread's namespace, in an order that can be loaded again."""
    found: list[NftObject] = []
    with Netlink(NETFILTER) as netlink:

        def read(kind: int, body: bytes) -> list[NftObject]:
            return [NftObject(kind, data[0], data[4:]) for _, data in netlink.dump(SUBSYSTEM | GET[kind], body)]

        for kind in (TABLE, CHAIN, SET):
            found += read(kind, nfgenmsg(0))
        for kind in (OBJECT, FLOWTABLE):
            try:
                found += read(kind, nfgenmsg(0))
            except OSError:  # a kernel without them
                continue
        for each in [o for o in found if o.kind == SET]:
            names = each.attributes
            found += read(ELEMENTS, nfgenmsg(each.family) + attribute(1, names[1]) + attribute(2, names[2]))
        found += read(RULE, nfgenmsg(0))
    return tuple(found)


def dump_counters() -> tuple[str, ...]:
    """The names of nfacct's counters: kube-proxy's rules refer to them and do not load without."""
    with Netlink(NETFILTER) as netlink:
        try:
            return tuple(text(by_kind(data, 4)[1]) for _, data in netlink.dump(ACCT | 1, nfgenmsg(0)))
        except OSError:  # a kernel without nfnetlink_acct
            return ()


def load_counters(names: Iterable[str]) -> list[str]:
    """Make nfacct counters in this thread's namespace; what went wrong."""
    zero = b"\0" * 8
    requests = [
        (ACCT, nfgenmsg(0) + packed([(1, name.encode() + b"\0"), (2, zero), (3, zero)]), CREATE) for name in names
    ]
    if not requests:
        return []
    with Netlink(NETFILTER) as netlink:
        codes = netlink.request(requests)
    return [f"nfacct {name}: {name_of(code)}" for name, code in zip(names, codes, strict=True) if code]


def load(objects: Iterable[NftObject]) -> list[str]:
    """Make these in this thread's namespace; what went wrong, in words.

    It takes one transaction where the socket may send so much at once, as root's may, and else as many as it needs.
    """
    given = tuple(objects)
    parts = _parts(given)
    if not parts:
        return []
    wrong = []
    for places in _transactions(given, [len(body) + MESSAGE_ROOM for _, body, _ in parts], _sent_at_once()):
        wrong += [(places[place], code) for place, code in transaction([parts[place] for place in places])]
        if wrong:
            break
    return [
        f"nftables {' '.join(given[place].place).strip()} ({given[place].kind}): {name_of(code)}"
        for place, code in wrong
    ]


@lru_cache(maxsize=4)
def _parts(objects: tuple[NftObject, ...]) -> list[tuple[int, bytes, int]]:
    """Their messages: the copies of one node are many, and with thousands of Services each takes a second."""
    return list(_messages(objects))


def _sent_at_once() -> int:
    with Netlink(NETFILTER) as netlink:
        return netlink.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - BATCH_ROOM


def _transactions(objects: tuple[NftObject, ...], sizes: list[int], most: int) -> list[list[int]]:
    """The places of the objects, in transactions of so many bytes; each needs only what came before it.

    A set without a name of its own goes beside the rule that it belongs to: the kernel takes neither alone.
    """
    if sum(sizes) <= most or any(each.kind == CHAIN and _number(each, CHAIN_FLAGS) & BINDING for each in objects):
        return [list(range(len(objects)))]
    belonging: dict[tuple[int, bytes, bytes], list[int]] = {}
    for place, each in enumerate(objects):
        if each.kind == SET and _number(each, SET_FLAGS) & ANONYMOUS:
            belonging[_set_of(each)] = [place]
        elif each.kind == ELEMENTS and _set_of(each) in belonging:
            belonging[_set_of(each)].append(place)
    beside = {place for places in belonging.values() for place in places}
    found: list[list[int]] = [[]]
    size = 0
    for place, each in enumerate(objects):
        if place in beside:
            continue
        unit = [*_sets_used(each, belonging), place]
        needed = sum(sizes[member] for member in unit)
        if found[-1] and size + needed > most:
            found.append([])
            size = 0
        found[-1] += unit
        size += needed
    return found


def _number(each: NftObject, attribute: int) -> int:
    return int.from_bytes(each.attributes.get(attribute, b""), "big")


def _set_of(each: NftObject) -> tuple[int, bytes, bytes]:
    found = each.attributes
    return each.family, found.get(1, b""), found.get(2, b"")


def _sets_used(each: NftObject, belonging: dict[tuple[int, bytes, bytes], list[int]]) -> list[int]:
    """The places of sets without a name that a rule uses for the first time, and of their elements."""
    if each.kind != RULE or not belonging:
        return []
    found = each.attributes
    used = []
    for name, data in expressions(found.get(RULE_EXPRESSIONS, b"")):
        if name in ("lookup", "dynset", "objref"):
            number = 4 if name == "objref" else 1
            used += belonging.pop((each.family, found.get(RULE_TABLE, b""), data.get(number, b"")), [])
    return used


def transaction(parts: list[tuple[int, bytes, int]]) -> list[tuple[int, int]]:
    """Send (type, body, flags) as one batch; place and error number of each part that was refused."""
    first = 10
    batch = [message(BATCH_BEGIN, nfgenmsg(0, SUBSYSTEM >> 8), REQUEST, 1)]
    batch += [
        message(SUBSYSTEM | kind, body, REQUEST | flags, first + i) for i, (kind, body, flags) in enumerate(parts)
    ]
    batch.append(message(BATCH_END, nfgenmsg(0, SUBSYSTEM >> 8), REQUEST, 2))
    wrong: list[tuple[int, int]] = []
    with Netlink(NETFILTER) as netlink:
        netlink.may_ask(SUBSYSTEM)
        netlink.socket.send(b"".join(batch))
        netlink.socket.setblocking(False)
        while True:
            try:
                data = netlink.socket.recv(1 << 20)
            except BlockingIOError:
                return wrong
            for kind, sequence, body in messages(data):
                if kind == ERROR and (code := -struct.unpack_from("=i", body)[0]):
                    wrong.append((max(0, min(sequence - first, len(parts) - 1)), code))


def rule_handles(family: int, table: str, chain: str) -> list[int]:
    """The handles of a chain's rules in this thread's namespace, in order."""
    where = packed([(RULE_TABLE, table.encode() + b"\0"), (RULE_CHAIN, chain.encode() + b"\0")])
    with Netlink(NETFILTER) as netlink:
        found = [NftObject(RULE, data[0], data[4:]) for _, data in netlink.dump(
            SUBSYSTEM | GET[RULE], nfgenmsg(family) + where)]  # fmt: skip
    return [rule.handle for rule in found if text(rule.attributes[RULE_CHAIN]) == chain]


def accept_by_policy(family: str, table: str, chain: str) -> None:
    """Set a base chain's policy to accept. Raises OSError."""
    where = [(1, table.encode() + b"\0"), (3, chain.encode() + b"\0"), (5, struct.pack(">I", 1))]
    _change(CHAIN, family, where, 0)


def neutralize_rule(family: str, table: str, chain: str, position: int) -> None:
    """Put a rule that does nothing in the place of this one (from 0): the others keep theirs. Raises OSError."""
    handle = rule_handles(NUMBERS[family], table, chain)[position]
    items = [(RULE_TABLE, table.encode() + b"\0"), (RULE_CHAIN, chain.encode() + b"\0")]
    items += [(RULE_HANDLE, handle.to_bytes(8, "big")), (RULE_EXPRESSIONS | NESTED, b"")]
    _change(RULE, family, items, REPLACE)


def _change(kind: int, family: str, items: list[Attribute], flags: int) -> None:
    for _, code in transaction([(kind, nfgenmsg(NUMBERS[family]) + packed(items), flags)]):
        raise OSError(code, os.strerror(code))


def _messages(objects: Iterable[NftObject]) -> Iterator[tuple[int, bytes, int]]:
    sets = 0
    for each in objects:
        items = list(_taken(each))
        if each.kind == SET and all(kind & KIND != SET_ID for kind, _ in items):
            sets += 1
            items.append((SET_ID, struct.pack(">I", sets)))
        yield each.kind, nfgenmsg(each.family) + packed(items), CREATE | (APPEND if each.kind == RULE else 0)


@lru_cache(maxsize=1 << 16)  # each copy of a node asks for the same
def _taken(each: NftObject) -> tuple[Attribute, ...]:
    """What the kernel takes back of an object that it has dumped."""
    items = [(kind, value) for kind, value in attributes(each.body) if kind & KIND not in READ_ONLY[each.kind]]
    found = {kind & KIND: value for kind, value in items}
    if each.kind == TABLE:
        items = _changed(items, 2, lambda value: struct.pack(">I", struct.unpack(">I", value)[0] & DORMANT))
    if each.kind == RULE and RULE_EXPRESSIONS in found:
        items = _changed(items, RULE_EXPRESSIONS, _without_refused_flags)
        items += _compat(found[RULE_EXPRESSIONS])
    return tuple(items)


def _changed(items: list[Attribute], number: int, change: Callable[[bytes], bytes]) -> list[Attribute]:
    return [(kind, change(value)) if kind & KIND == number else (kind, value) for kind, value in items]


def expressions(data: bytes) -> Iterator[tuple[str, dict[int, bytes]]]:
    """Name and data of each expression of a rule."""
    for _, element in attributes(data):
        parts = by_kind(element)
        yield text(parts.get(1, b"")), by_kind(parts.get(2, b""))


def _compat(data: bytes) -> list[Attribute]:
    """NFTA_RULE_COMPAT, which is not dumped: xtables matches need the rule's protocol. Read off its expressions."""
    uses_xtables, expected = False, False
    protocol = inverted = 0
    for name, found in expressions(data):
        if name in ("match", "target"):
            uses_xtables = True
        if name == "cmp" and expected:
            protocol = by_kind(found[3])[1][0]
            inverted = 2 if found[2] == b"\0\0\0\1" else 0
        # meta l4proto, or the protocol's byte in the network header
        expected = (name == "meta" and found.get(2) == b"\0\0\0\x10") or (
            name == "payload"
            and found.get(2) == b"\0\0\0\1"
            and found.get(3) in (b"\0\0\0\x09", b"\0\0\0\x06")
            and found.get(4) == b"\0\0\0\1"
        )
    if not (uses_xtables and protocol):
        return []
    numbers = attribute(1, struct.pack(">I", protocol)) + attribute(2, struct.pack(">I", inverted))
    return [(RULE_COMPAT | NESTED, numbers)]


def _without_refused_flags(data: bytes) -> bytes:
    """`tcp option maxseg size set`: the kernel dumps its FLAGS (5) and refuses them beside a source register (7)."""
    if b"exthdr" not in data:
        return data
    out = []
    for kind, element in attributes(data):
        parts = attributes(element)
        found = by_kind(element)
        if text(found.get(1, b"")) == "exthdr" and 7 in by_kind(found[2]):
            parts = _changed(parts, 2, lambda value: packed(item for item in attributes(value) if item[0] & KIND != 5))
        out.append((kind, packed(parts)))
    return packed(out)
