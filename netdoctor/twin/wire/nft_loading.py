"""Objects of nftables made in a namespace, in as few transactions as the kernel takes them in."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from netdoctor.twin.wire.netlink import (
    ERROR,
    NESTED,
    NETFILTER,
    REPLACE,
    REQUEST,
    Attribute,
    Netlink,
    message,
    messages,
    name_of,
    packed,
)
from netdoctor.twin.wire.nfnetlink import nfgenmsg
from netdoctor.twin.wire.nft_messages import taken_back
from netdoctor.twin.wire.nftables import (
    CHAIN,
    ELEMENTS,
    NUMBERS,
    RULE,
    SET,
    SUBSYSTEM,
    NftObject,
    expressions,
    rule_handles,
)
from netdoctor.twin.wire.uapi.nf_tables import NFT_CHAIN, NFT_SET, NFTA_CHAIN, NFTA_RULE, NFTA_SET
from netdoctor.twin.wire.uapi.nfnetlink import NFNL_MSG_BATCH, NFNL_SUBSYS
from netdoctor.twin.wire.uapi.nft_expressions import NFTA_DYNSET, NFTA_LOOKUP, NFTA_OBJREF

# the attribute in which an expression names a set
SETS_NAME = {"lookup": NFTA_LOOKUP.SET, "dynset": NFTA_DYNSET.SET_NAME, "objref": NFTA_OBJREF.SET_NAME}
NF_ACCEPT = 1  # linux/netfilter.h
MESSAGE_ROOM, BATCH_ROOM = 24, 1024  # bytes of each message's headers, and of a batch's beginning and end


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
    return list(taken_back(objects))


def _sent_at_once() -> int:
    with Netlink(NETFILTER) as netlink:
        return netlink.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - BATCH_ROOM


def _transactions(objects: tuple[NftObject, ...], sizes: list[int], most: int) -> list[list[int]]:
    """The places of the objects, in transactions of so many bytes; each needs only what came before it.

    A set without a name of its own goes beside the rule that it belongs to: the kernel takes neither alone.
    """
    if sum(sizes) <= most or any(_is_bound(each) for each in objects):
        return [list(range(len(objects)))]
    found: list[list[int]] = [[]]
    size = 0
    for unit in _units(objects):
        needed = sum(sizes[member] for member in unit)
        if found[-1] and size + needed > most:
            found.append([])
            size = 0
        found[-1] += unit
        size += needed
    return found


def _units(objects: tuple[NftObject, ...]) -> Iterator[list[int]]:
    """The places of the objects, each alone or a rule with the sets without a name that it uses first."""
    belonging = _sets_without_a_name(objects)
    beside = {place for places in belonging.values() for place in places}
    for place, each in enumerate(objects):
        if place not in beside:
            yield [*_sets_used(each, belonging), place]


def _sets_without_a_name(objects: tuple[NftObject, ...]) -> dict[tuple[int, bytes, bytes], list[int]]:
    """The places of such sets and of their elements, by the kernel's names for them."""
    found: dict[tuple[int, bytes, bytes], list[int]] = {}
    for place, each in enumerate(objects):
        if each.kind == SET and _number(each, NFTA_SET.FLAGS) & NFT_SET.ANONYMOUS:
            found[each.set_name] = [place]
        elif each.kind == ELEMENTS and each.set_name in found:
            found[each.set_name].append(place)
    return found


def _is_bound(each: NftObject) -> bool:
    """Whether it is a chain without a name of its own, which belongs to one rule."""
    return each.kind == CHAIN and bool(_number(each, NFTA_CHAIN.FLAGS) & NFT_CHAIN.BINDING)


def _number(each: NftObject, attribute: int) -> int:
    return int.from_bytes(each.attributes.get(attribute, b""), "big")


def _sets_used(each: NftObject, belonging: dict[tuple[int, bytes, bytes], list[int]]) -> list[int]:
    """The places of sets without a name that a rule uses for the first time, and of their elements."""
    if each.kind != RULE or not belonging:
        return []
    found = each.attributes
    used = []
    for name, data in expressions(found.get(NFTA_RULE.EXPRESSIONS, b"")):
        if name in SETS_NAME:
            its_set = (each.family, found.get(NFTA_RULE.TABLE, b""), data.get(SETS_NAME[name], b""))
            used += belonging.pop(its_set, [])
    return used


def transaction(parts: list[tuple[int, bytes, int]]) -> list[tuple[int, int]]:
    """Send (type, body, flags) as one batch; place and error number of each part that was refused."""
    first = 10
    batch = [message(NFNL_MSG_BATCH.BEGIN, nfgenmsg(0, NFNL_SUBSYS.NFTABLES), REQUEST, 1)]
    batch += [
        message(SUBSYSTEM | kind, body, REQUEST | flags, first + i) for i, (kind, body, flags) in enumerate(parts)
    ]
    batch.append(message(NFNL_MSG_BATCH.END, nfgenmsg(0, NFNL_SUBSYS.NFTABLES), REQUEST, 2))
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


def accept_by_policy(family: str, table: str, chain: str) -> None:
    """Set a base chain's policy to accept. Raises OSError."""
    items: list[Attribute] = [(NFTA_CHAIN.TABLE, table.encode() + b"\0"), (NFTA_CHAIN.NAME, chain.encode() + b"\0")]
    items.append((NFTA_CHAIN.POLICY, struct.pack(">I", NF_ACCEPT)))
    _change(CHAIN, family, items, 0)


def neutralize_rule(family: str, table: str, chain: str, position: int) -> None:
    """Put a rule that does nothing in the place of this one (from 0): the others keep theirs. Raises OSError."""
    handle = rule_handles(NUMBERS[family], table, chain)[position]
    items: list[Attribute] = [(NFTA_RULE.TABLE, table.encode() + b"\0"), (NFTA_RULE.CHAIN, chain.encode() + b"\0")]
    items += [(NFTA_RULE.HANDLE, handle.to_bytes(8, "big")), (NFTA_RULE.EXPRESSIONS | NESTED, b"")]
    _change(RULE, family, items, REPLACE)


def _change(kind: int, family: str, items: list[Attribute], flags: int) -> None:
    for _, code in transaction([(kind, nfgenmsg(NUMBERS[family]) + packed(items), flags)]):
        raise OSError(code, os.strerror(code))
