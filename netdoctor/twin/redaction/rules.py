"""A ruleset of nftables with other addresses and without comments: which values are addresses is read off the rules.

A value is one where it is compared with an address of a packet's or a connection's, or where a translation, a copy or
a change of the packet takes it; elsewhere four bytes are a mark or a port (linux/netfilter/nf_tables.h).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from netdoctor.twin.redaction import sets
from netdoctor.twin.redaction.comments import BLANK
from netdoctor.twin.redaction.expressions import Expression
from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.redaction.sets import SetKind, userdata
from netdoctor.twin.redaction.xtables import leading_ones, redacted, replaced
from netdoctor.twin.wire.netlink import KIND, attributes, packed, text
from netdoctor.twin.wire.nftables import (
    CHAIN,
    ELEMENTS,
    OBJECT,
    RULE,
    RULE_CHAIN,
    RULE_EXPRESSIONS,
    RULE_USERDATA,
    SET,
    TABLE,
    NftObject,
)  # fmt: skip

IP, ARP, IP6 = 2, 3, 10  # families
ETHERTYPES = {b"\x08\x00": IP, b"\x08\x06": ARP, b"\x86\xdd": IP6}
# place and length of the addresses in a header: of a protocol, and of Ethernet
NETWORK = {IP: ((12, 4), (16, 4)), IP6: ((8, 16), (24, 16)), ARP: ((8, 6), (14, 4), (18, 6), (24, 4))}
ETHERNET = ((0, 6), (6, 6))
LINK_BASE, NETWORK_BASE = 0, 1
# what nft keeps beside an object: its attribute, and the number of the comment in it
COMMENTS = {TABLE: (6, 0), CHAIN: (12, 0), RULE: (RULE_USERDATA, 0), SET: (13, 7), OBJECT: (8, 0)}
# keys that load an address, and its length; 0: of the family
ADDRESS_KEYS = {
    "ct": {8: 0, 9: 0, 19: 4, 20: 4, 21: 16, 22: 16}, "rt": {1: 4, 2: 16}, "xfrm": {1: 4, 2: 16, 3: 4, 4: 16},
}  # fmt: skip
TARGET_REGISTER = {
    "payload": 1, "meta": 1, "ct": 1, "rt": 1, "xfrm": 1, "fib": 1, "exthdr": 1, "immediate": 1, "numgen": 1, "osf": 1,
    "bitwise": 2, "byteorder": 2, "hash": 2, "socket": 2, "tunnel": 2, "lookup": 3,
}  # fmt: skip
EQUAL, UNEQUAL, LESS, UP_TO, MORE, FROM = range(6)  # of a comparison


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a register holds: parts of addresses as (place, bytes of an address, bytes that are there), and a mask."""

    parts: tuple[tuple[int, int, int], ...] = ()
    mask: bytes = b""
    protocol: bool = False  # it says which protocol follows
    anything: bool = False  # bytes of a packet: an address may be among them


def redacted_ruleset(objects: Iterable[NftObject], pseudonyms: Pseudonyms) -> tuple[NftObject, ...]:
    """Every object of a ruleset, in the same order."""
    kinds: dict[tuple[int, str, str], SetKind] = {}
    out: list[NftObject] = []
    for place, group in groupby(objects, _set_of_elements):
        if place:
            kind = kinds.get(place, SetKind(0, 0, interval=False))
            out += sets.redacted(list(group), kind, pseudonyms)
            continue
        for each in group:
            if each.kind == SET:
                kinds[_place(each)] = SetKind.read(each.body)
            out.append(NftObject(each.kind, each.family, pseudonyms.swept(_object(each, pseudonyms))))
    return tuple(out)


def _place(each: NftObject) -> tuple[int, str, str]:
    found = each.attributes
    return each.family, text(found[1]), text(found[2])


def _set_of_elements(each: NftObject) -> tuple[int, str, str] | None:
    return _place(each) if each.kind == ELEMENTS else None


def _object(each: NftObject, pseudonyms: Pseudonyms) -> bytes:
    comments, number = COMMENTS.get(each.kind, (0, 0))
    chain = text(each.attributes.get(RULE_CHAIN, b"")) if each.kind == RULE else ""
    out = []
    for kind, value in attributes(each.body):
        if comments and kind & KIND == comments:
            out.append((kind, userdata(value, number, chain, pseudonyms)))
        elif each.kind == RULE and kind & KIND == RULE_EXPRESSIONS:
            out.append((kind, _expressions(value, each.family, chain, pseudonyms)))
        else:
            out.append((kind, value))
    return packed(out)


def _expressions(data: bytes, family: int, chain: str, pseudonyms: Pseudonyms) -> bytes:
    elements = attributes(data)
    steps = [Expression.read(element) for _, element in elements]
    _Rule(family, chain, pseudonyms).change(steps)
    if not any(step.changed for step in steps):
        return data
    return packed((kind, step.written(element)) for (kind, element), step in zip(elements, steps, strict=True))


class _Rule:
    """What the registers hold on the way through one rule."""

    def __init__(self, family: int, chain: str, pseudonyms: Pseudonyms) -> None:
        self.family, self.chain, self.pseudonyms = family, chain, pseudonyms
        self.protocol = family if family in NETWORK else 0
        self.held: dict[int, Loaded] = {}
        self.immediates: dict[int, Expression] = {}

    def change(self, steps: list[Expression]) -> None:
        """Change the addresses in these expressions."""
        skip = False
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if skip:
                skip = False
            elif step.name == "cmp":
                skip = self._compare(step, following)
            elif step.name == "range":
                self._range(step)
            elif step.name in ("match", "target"):
                revision = int.from_bytes(step.get(2), "big")
                name = text(step.get(1))
                step.put(3, redacted(name, revision, step.get(3), self.family, self.chain, self.pseudonyms))
            elif step.name == "log":
                if step.get(2):
                    step.put(2, BLANK.encode() + b"\0")
            else:
                self._take(step)
                self._load(step)

    def _load(self, step: Expression) -> None:
        """Note what a register holds from here on."""
        target = step.register(TARGET_REGISTER.get(step.name, 0)) if step.name in TARGET_REGISTER else 0
        if not target:
            return
        self.immediates.pop(target, None)
        source = self.held.get(step.register(1), Loaded())
        self.held[target] = Loaded()
        if step.name == "payload":
            self.held[target] = self._payload(step)
        elif step.name == "meta":
            self.held[target] = Loaded(protocol=step.number(2) in (1, 15))  # EtherType, family
        elif step.name == "immediate":
            self.immediates[target] = step
        elif step.name == "byteorder":
            self.held[target] = source
        elif step.name == "bitwise":
            self.held[target] = replace(source, mask=step.value(4))
        elif step.name in ADDRESS_KEYS:
            size = ADDRESS_KEYS[step.name].get(step.number(2))
            if size is not None:
                size = size or (16 if self.protocol == IP6 else 4)
                self.held[target] = Loaded(((0, size, size),))

    def _payload(self, step: Expression) -> Loaded:
        base, offset, length = step.number(2), step.number(3), step.number(4)
        if base == LINK_BASE and (offset, length) == (12, 2):
            return Loaded(protocol=True)
        parts = self._parts(base, offset, length)
        return Loaded(parts, anything=not parts)

    def _parts(self, base: int, offset: int, length: int) -> tuple[tuple[int, int, int], ...]:
        """The parts of addresses in these bytes of a header, each from its beginning."""
        protocol = self.protocol or (IP if offset in (12, 16) else IP6 if offset in (8, 24) else 0)
        places = ETHERNET if base == LINK_BASE else NETWORK.get(protocol, ()) if base == NETWORK_BASE else ()
        return tuple(
            (start - offset, size, min(size, offset + length - start))
            for start, size in places
            if offset <= start < offset + length
        )

    def _take(self, step: Expression) -> None:
        """Change the constants that this expression takes as addresses."""
        if step.name == "nat":
            size = 16 if step.number(2) == IP6 else 4
            first, last = step.register(3), step.register(4) or step.register(3)
            if first in self.immediates and last in self.immediates:
                low, high = self.immediates[first], self.immediates[last]
                if len(low.value(2)) == size:
                    new = self.pseudonyms.span(low.value(2), high.value(2))
                    low.put_value(2, new[0])
                    high.put_value(2, new[1])
            return
        taken = {"tproxy": 2, "dup": 1, "fwd": 2, "payload": 5, "dynset": 4}.get(step.name)
        constant = self.immediates.get(step.register(taken)) if taken else None
        if constant is None:
            return
        value = constant.value(2)
        if step.name == "payload":
            whole = Loaded(self._parts(step.number(2), step.number(3), step.number(4)))
            constant.put_value(2, self._masked(value, whole))
        elif step.name == "dynset":
            constant.put_value(2, replaced(value, self.pseudonyms))
        else:
            constant.put_value(2, self.pseudonyms.raw(value))

    def _compare(self, step: Expression, following: Expression | None) -> bool:
        """Change a comparison; whether it was one end of a range, and the other is changed with it."""
        held = self.held.get(step.register(1), Loaded())
        value, operator = step.value(3), step.number(2)
        if held.protocol and operator == EQUAL and self.family not in NETWORK:
            self.protocol = ETHERTYPES.get(value, value[0])
        if held.anything:
            step.put_value(3, replaced(value, self.pseudonyms))
        elif not held.parts:
            return False
        elif operator in (EQUAL, UNEQUAL):
            step.put_value(3, self._masked(value, held))
        elif operator == FROM and following and following.name == "cmp" and following.number(2) == UP_TO:
            if following.register(1) == step.register(1):
                low, high = self._between(value, following.value(3), held)
                step.put_value(3, low)
                following.put_value(3, high)
                return True
        else:
            low, high = b"\0" * len(value), b"\xff" * len(value)
            ends = (low, value) if operator in (LESS, UP_TO) else (value, high)
            step.put_value(3, self._between(*ends, held)[operator in (LESS, UP_TO)])
        return False

    def _range(self, step: Expression) -> None:
        held = self.held.get(step.register(1), Loaded())
        low, high = self._between(step.value(3), step.value(4), held)
        step.put_value(3, low)
        step.put_value(4, high)

    def _masked(self, value: bytes, held: Loaded) -> bytes:
        """A value that addresses are compared with, or the first bytes of them."""
        out = bytearray(value)
        for place, size, loaded in held.parts:
            there = min(loaded, len(value) - place)  # a comparison of the first bytes
            part = value[place : place + there]
            length = min(8 * there, leading_ones(held.mask[place : place + there]) if held.mask else 8 * there)
            if size == 6:
                out[place : place + there] = self.pseudonyms.mac(part) if length == 48 else part
            else:
                out[place : place + there] = self.pseudonyms.prefix(part.ljust(size, b"\0"), length)[:there]
        return bytes(out)

    def _between(self, first: bytes, last: bytes, held: Loaded) -> tuple[bytes, bytes]:
        low, high = bytearray(first), bytearray(last)
        for place, size, there in held.parts:
            if size == there:
                part = slice(place, place + size)
                low[part], high[part] = self.pseudonyms.span(first[part], last[part])
        return bytes(low), bytes(high)
