"""What the kernel accepts again of the nftables objects that it has dumped, iptables-nft's tables included.

`nft list ruleset | nft -f` does not copy: it loads what nft made of xtables matches, and iptables-nft then calls its
own tables incompatible. What the kernel dumps goes back as it came, but for attributes that its own parser refuses
(linux/netfilter/nf_tables.h; measured on kernel 6.18).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from netdoctor.twin.wire.netlink import (
    APPEND,
    CREATE,
    KIND,
    NESTED,
    Attribute,
    attribute,
    attributes,
    by_kind,
    packed,
    text,
)
from netdoctor.twin.wire.nfnetlink import nfgenmsg
from netdoctor.twin.wire.nftables import CHAIN, ELEMENTS, FLOWTABLE, OBJECT, RULE, SET, TABLE, NftObject, expressions
from netdoctor.twin.wire.uapi.nf_tables import (
    NFT_RULE_COMPAT_F,
    NFT_TABLE_F,
    NFTA_CHAIN,
    NFTA_DATA,
    NFTA_EXPR,
    NFTA_FLOWTABLE,
    NFTA_OBJ,
    NFTA_RULE,
    NFTA_RULE_COMPAT,
    NFTA_SET,
    NFTA_TABLE,
)
from netdoctor.twin.wire.uapi.nft_expressions import (
    NFT_CMP,
    NFT_META,
    NFT_PAYLOAD,
    NFTA_CMP,
    NFTA_EXTHDR,
    NFTA_META,
    NFTA_PAYLOAD,
)

# handles, use counts and positions are the kernel's; a set's type and count it dumps and does not take
READ_ONLY: dict[int, set[int]] = {
    TABLE: {NFTA_TABLE.USE, NFTA_TABLE.HANDLE, NFTA_TABLE.PAD, NFTA_TABLE.OWNER},
    CHAIN: {NFTA_CHAIN.HANDLE, NFTA_CHAIN.USE, NFTA_CHAIN.PAD, NFTA_CHAIN.ID},
    RULE: {
        NFTA_RULE.HANDLE,
        NFTA_RULE.POSITION,
        NFTA_RULE.PAD,
        NFTA_RULE.ID,
        NFTA_RULE.POSITION_ID,
        NFTA_RULE.CHAIN_ID,
    },
    SET: {NFTA_SET.PAD, NFTA_SET.HANDLE, NFTA_SET.TYPE, NFTA_SET.COUNT},
    ELEMENTS: set(),
    OBJECT: {NFTA_OBJ.USE, NFTA_OBJ.HANDLE, NFTA_OBJ.PAD},
    FLOWTABLE: {NFTA_FLOWTABLE.USE, NFTA_FLOWTABLE.HANDLE, NFTA_FLOWTABLE.PAD},
}
XTABLES = ("match", "target")
UNEQUAL, L4PROTO = struct.pack(">I", NFT_CMP.NEQ), struct.pack(">I", NFT_META.L4PROTO)
# of IPv4 and of IPv6: base, offset and length of the byte that says which protocol follows
PROTOCOL_BYTES = [
    tuple(struct.pack(">I", number) for number in (NFT_PAYLOAD.NETWORK_HEADER, offset, 1)) for offset in (9, 6)
]


def taken_back(objects: Iterable[NftObject]) -> Iterator[tuple[int, bytes, int]]:
    """Type, body and flags of the messages that make these objects, in their order."""
    sets = 0
    for each in objects:
        items = list(_taken(each))
        if each.kind == SET and all(kind & KIND != NFTA_SET.ID for kind, _ in items):
            sets += 1
            items.append((NFTA_SET.ID, struct.pack(">I", sets)))
        yield each.kind, nfgenmsg(each.family) + packed(items), CREATE | (APPEND if each.kind == RULE else 0)


@lru_cache(maxsize=1 << 16)  # each copy of a node asks for the same
def _taken(each: NftObject) -> tuple[Attribute, ...]:
    """What the kernel accepts again of an object that it has dumped."""
    items = [(kind, value) for kind, value in attributes(each.body) if kind & KIND not in READ_ONLY[each.kind]]
    found = {kind & KIND: value for kind, value in items}
    if each.kind == TABLE:
        items = _changed(items, NFTA_TABLE.FLAGS, _only_dormant)
    if each.kind == RULE and NFTA_RULE.EXPRESSIONS in found:
        items = _changed(items, NFTA_RULE.EXPRESSIONS, _without_refused_flags)
        items += _compat(found[NFTA_RULE.EXPRESSIONS])
    return tuple(items)


def _changed(items: list[Attribute], number: int, change: Callable[[bytes], bytes]) -> list[Attribute]:
    return [(kind, change(value)) if kind & KIND == number else (kind, value) for kind, value in items]


def _only_dormant(flags: bytes) -> bytes:
    """The only flag of a table that is copied: an owner would be this process."""
    return struct.pack(">I", struct.unpack(">I", flags)[0] & NFT_TABLE_F.DORMANT)


def _compat(data: bytes) -> list[Attribute]:
    """NFTA_RULE_COMPAT, which is not dumped: xtables matches need the rule's protocol. Read off its expressions."""
    uses_xtables, expected = False, False
    protocol = flags = 0
    for name, found in expressions(data):
        if name in XTABLES:
            uses_xtables = True
        if name == "cmp" and expected:
            protocol = by_kind(found[NFTA_CMP.DATA])[NFTA_DATA.VALUE][0]
            flags = NFT_RULE_COMPAT_F.INV if found[NFTA_CMP.OP] == UNEQUAL else 0
        expected = _loads_protocol(name, found)
    if not (uses_xtables and protocol):
        return []
    numbers = attribute(NFTA_RULE_COMPAT.PROTO, struct.pack(">I", protocol))
    numbers += attribute(NFTA_RULE_COMPAT.FLAGS, struct.pack(">I", flags))
    return [(NFTA_RULE.COMPAT | NESTED, numbers)]


def _loads_protocol(name: str, found: dict[int, bytes]) -> bool:
    """Whether an expression loads `meta l4proto`, or the protocol's byte in the network header."""
    if name == "meta":
        return found.get(NFTA_META.KEY) == L4PROTO
    where = (found.get(NFTA_PAYLOAD.BASE), found.get(NFTA_PAYLOAD.OFFSET), found.get(NFTA_PAYLOAD.LEN))
    return name == "payload" and where in PROTOCOL_BYTES


def _without_refused_flags(data: bytes) -> bytes:
    """`tcp option maxseg size set`: the kernel dumps its FLAGS and refuses them beside a source register."""
    if b"exthdr" not in data:
        return data
    out = []
    for kind, element in attributes(data):
        parts = attributes(element)
        found = by_kind(element)
        if text(found.get(NFTA_EXPR.NAME, b"")) == "exthdr" and NFTA_EXTHDR.SREG in by_kind(found[NFTA_EXPR.DATA]):
            parts = _changed(parts, NFTA_EXPR.DATA, _without_flags)
        out.append((kind, packed(parts)))
    return packed(out)


def _without_flags(exthdr: bytes) -> bytes:
    return packed(item for item in attributes(exthdr) if item[0] & KIND != NFTA_EXTHDR.FLAGS)
