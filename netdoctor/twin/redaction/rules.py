"""A ruleset of nftables with other addresses and without comments: which values are addresses is read off the rules.

A value is one where it is compared with an address of a packet's or a connection's, or where a translation, a copy or
a change of the packet takes it; elsewhere four bytes are a mark or a port (linux/netfilter/nf_tables.h).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from netdoctor.twin.redaction import sets
from netdoctor.twin.redaction.comments import BLANK
from netdoctor.twin.redaction.expressions import Expression
from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.redaction.registers import ADDRESS_KEYS, SOURCE_REGISTER, TAKEN_REGISTER, TARGET_REGISTER, Loaded
from netdoctor.twin.redaction.sets import SetKind, userdata
from netdoctor.twin.redaction.xtables import leading_ones, redacted, replaced
from netdoctor.twin.wire.netlink import KIND, attributes, packed, text
from netdoctor.twin.wire.nftables import CHAIN, ELEMENTS, OBJECT, RULE, SET, TABLE, NftObject
from netdoctor.twin.wire.uapi.nf_tables import (
    NFPROTO,
    NFTA_CHAIN,
    NFTA_OBJ,
    NFTA_RULE,
    NFTA_SET,
    NFTA_SET_ELEM_LIST,
    NFTA_TABLE,
)
from netdoctor.twin.wire.uapi.nft_expressions import (
    NFT_CMP,
    NFT_META,
    NFT_PAYLOAD,
    NFTA_BITWISE,
    NFTA_CMP,
    NFTA_IMMEDIATE,
    NFTA_LOG,
    NFTA_MATCH,
    NFTA_META,
    NFTA_NAT,
    NFTA_PAYLOAD,
    NFTA_RANGE,
    NFTA_TARGET,
)

IP, ARP, IP6 = NFPROTO.IPV4, NFPROTO.ARP, NFPROTO.IPV6
ETHERTYPES: dict[bytes, int] = {b"\x08\x00": IP, b"\x08\x06": ARP, b"\x86\xdd": IP6}
# place and length of the addresses in a header: of a protocol, and of Ethernet
NETWORK: dict[int, tuple[tuple[int, int], ...]] = {
    IP: ((12, 4), (16, 4)),
    IP6: ((8, 16), (24, 16)),
    ARP: ((8, 6), (14, 4), (18, 6), (24, 4)),
}
ETHERNET = ((0, 6), (6, 6))
# what nft keeps beside an object: its attribute, and the number of the comment in it (libnftnl/udata.h)
COMMENTS: dict[int, tuple[int, int]] = {
    TABLE: (NFTA_TABLE.USERDATA, 0),
    CHAIN: (NFTA_CHAIN.USERDATA, 0),
    RULE: (NFTA_RULE.USERDATA, 0),
    SET: (NFTA_SET.USERDATA, 7),
    OBJECT: (NFTA_OBJ.USERDATA, 0),
}
XTABLES: dict[str, tuple[int, int, int]] = {  # name, revision and structure
    "match": (NFTA_MATCH.NAME, NFTA_MATCH.REV, NFTA_MATCH.INFO),
    "target": (NFTA_TARGET.NAME, NFTA_TARGET.REV, NFTA_TARGET.INFO),
}
ETHERTYPE = (12, 2)  # place and length in the header of Ethernet


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
    name = NFTA_SET_ELEM_LIST.SET if each.kind == ELEMENTS else NFTA_SET.NAME
    return each.family, text(found[NFTA_SET.TABLE]), text(found[name])


def _set_of_elements(each: NftObject) -> tuple[int, str, str] | None:
    return _place(each) if each.kind == ELEMENTS else None


def _object(each: NftObject, pseudonyms: Pseudonyms) -> bytes:
    comments, number = COMMENTS.get(each.kind, (0, 0))
    chain = text(each.attributes.get(NFTA_RULE.CHAIN, b"")) if each.kind == RULE else ""
    out = []
    for kind, value in attributes(each.body):
        if comments and kind & KIND == comments:
            out.append((kind, userdata(value, number, chain, pseudonyms)))
        elif each.kind == RULE and kind & KIND == NFTA_RULE.EXPRESSIONS:
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
            elif step.name in XTABLES:
                self._xtables(step)
            elif step.name == "log":
                if step.get(NFTA_LOG.PREFIX):
                    step.put(NFTA_LOG.PREFIX, BLANK.encode() + b"\0")
            else:
                self._take(step)
                self._load(step)

    def _xtables(self, step: Expression) -> None:
        """Change the addresses in a match or a target of xtables."""
        name, revision, structure = XTABLES[step.name]
        new = redacted(
            text(step.get(name)), step.number(revision), step.get(structure), self.family, self.chain, self.pseudonyms
        )
        step.put(structure, new)

    def _load(self, step: Expression) -> None:
        """Note what a register holds from here on."""
        target = step.register(TARGET_REGISTER.get(step.name, 0)) if step.name in TARGET_REGISTER else 0
        if not target:
            return
        self.immediates.pop(target, None)
        source = self._source(step)
        self.held[target] = Loaded()
        if step.name == "payload":
            self.held[target] = self._payload(step)
        elif step.name == "meta":
            self.held[target] = Loaded(protocol=step.number(NFTA_META.KEY) in (NFT_META.PROTOCOL, NFT_META.NFPROTO))
        elif step.name == "immediate":
            self.immediates[target] = step
        elif step.name == "byteorder":
            self.held[target] = source
        elif step.name == "bitwise":
            self.held[target] = replace(source, mask=step.value(NFTA_BITWISE.MASK))
        elif step.name in ADDRESS_KEYS:
            key, sizes = ADDRESS_KEYS[step.name]
            size = sizes.get(step.number(key))
            if size is not None:
                size = size or (16 if self.protocol == IP6 else 4)
                self.held[target] = Loaded(((0, size, size),))

    def _source(self, step: Expression) -> Loaded:
        """What the register holds that an expression changes."""
        source = SOURCE_REGISTER.get(step.name)
        return self.held.get(step.register(source), Loaded()) if source else Loaded()

    def _payload(self, step: Expression) -> Loaded:
        base, offset, length = _span(step)
        if base == NFT_PAYLOAD.LL_HEADER and (offset, length) == ETHERTYPE:
            return Loaded(protocol=True)
        parts = self._parts(base, offset, length)
        return Loaded(parts, anything=not parts)

    def _parts(self, base: int, offset: int, length: int) -> tuple[tuple[int, int, int], ...]:
        """The parts of addresses in these bytes of a header, each from its beginning."""
        protocol = self.protocol or (IP if offset in (12, 16) else IP6 if offset in (8, 24) else 0)
        places: tuple[tuple[int, int], ...] = ()
        if base == NFT_PAYLOAD.LL_HEADER:
            places = ETHERNET
        elif base == NFT_PAYLOAD.NETWORK_HEADER:
            places = NETWORK.get(protocol, ())
        return tuple(
            (start - offset, size, min(size, offset + length - start))
            for start, size in places
            if offset <= start < offset + length
        )

    def _take(self, step: Expression) -> None:
        """Change the constants that this expression takes as addresses."""
        if step.name == "nat":
            self._translate(step)
            return
        taken = TAKEN_REGISTER.get(step.name)
        constant = self.immediates.get(step.register(taken)) if taken else None
        if constant is None:
            return
        value = constant.value(NFTA_IMMEDIATE.DATA)
        if step.name == "payload":
            new = self._masked(value, Loaded(self._parts(*_span(step))))
        elif step.name == "dynset":
            new = replaced(value, self.pseudonyms)
        else:
            new = self.pseudonyms.raw(value)
        constant.put_value(NFTA_IMMEDIATE.DATA, new)

    def _translate(self, step: Expression) -> None:
        """Change the first and the last address that a translation gives."""
        size = 16 if step.number(NFTA_NAT.FAMILY) == IP6 else 4
        first = step.register(NFTA_NAT.REG_ADDR_MIN)
        last = step.register(NFTA_NAT.REG_ADDR_MAX) or first
        if first not in self.immediates or last not in self.immediates:
            return
        low, high = self.immediates[first], self.immediates[last]
        value = low.value(NFTA_IMMEDIATE.DATA)
        if len(value) == size:
            new = self.pseudonyms.span(value, high.value(NFTA_IMMEDIATE.DATA))
            low.put_value(NFTA_IMMEDIATE.DATA, new[0])
            high.put_value(NFTA_IMMEDIATE.DATA, new[1])

    def _compare(self, step: Expression, following: Expression | None) -> bool:
        """Change a comparison; whether it was one end of a range, and the other is changed with it."""
        held = self.held.get(step.register(NFTA_CMP.SREG), Loaded())
        value, operator = step.value(NFTA_CMP.DATA), step.number(NFTA_CMP.OP)
        if held.protocol and operator == NFT_CMP.EQ and self.family not in NETWORK:
            self.protocol = ETHERTYPES.get(value, value[0])
        if held.anything:
            step.put_value(NFTA_CMP.DATA, replaced(value, self.pseudonyms))
        elif not held.parts:
            return False
        elif operator in (NFT_CMP.EQ, NFT_CMP.NEQ):
            step.put_value(NFTA_CMP.DATA, self._masked(value, held))
        elif operator == NFT_CMP.GTE and following and _is_upper_end(following):
            if following.register(NFTA_CMP.SREG) == step.register(NFTA_CMP.SREG):
                low, high = self._between(value, following.value(NFTA_CMP.DATA), held)
                step.put_value(NFTA_CMP.DATA, low)
                following.put_value(NFTA_CMP.DATA, high)
                return True
        elif operator in (NFT_CMP.LT, NFT_CMP.LTE):
            _, last = self._between(b"\0" * len(value), value, held)
            step.put_value(NFTA_CMP.DATA, last)
        else:
            first, _ = self._between(value, b"\xff" * len(value), held)
            step.put_value(NFTA_CMP.DATA, first)
        return False

    def _range(self, step: Expression) -> None:
        held = self.held.get(step.register(NFTA_RANGE.SREG), Loaded())
        low, high = self._between(step.value(NFTA_RANGE.FROM_DATA), step.value(NFTA_RANGE.TO_DATA), held)
        step.put_value(NFTA_RANGE.FROM_DATA, low)
        step.put_value(NFTA_RANGE.TO_DATA, high)

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


def _span(step: Expression) -> tuple[int, int, int]:
    """Of `payload`: which header, and place and length of the bytes in it."""
    return step.number(NFTA_PAYLOAD.BASE), step.number(NFTA_PAYLOAD.OFFSET), step.number(NFTA_PAYLOAD.LEN)


def _is_upper_end(step: Expression) -> bool:
    """Whether it is the second of two comparisons that stand for a range."""
    return step.name == "cmp" and step.number(NFTA_CMP.OP) == NFT_CMP.LTE
