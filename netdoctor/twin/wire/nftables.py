"""A ruleset of nftables as the kernel dumps it: its objects, as messages (linux/netfilter/nf_tables.h)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netdoctor.twin.wire.netlink import NETFILTER, Netlink, attributes, by_kind, packed, text
from netdoctor.twin.wire.nfnetlink import NFGENMSG, family_of, nfgenmsg
from netdoctor.twin.wire.uapi.nf_tables import NFPROTO, NFT_MSG, NFTA_EXPR, NFTA_RULE, NFTA_SET, NFTA_SET_ELEM_LIST
from netdoctor.twin.wire.uapi.nfnetlink import NFNL_SUBSYS

SUBSYSTEM = NFNL_SUBSYS.NFTABLES << 8
# the kinds of objects, by the message that makes one
TABLE, CHAIN, RULE = NFT_MSG.NEWTABLE, NFT_MSG.NEWCHAIN, NFT_MSG.NEWRULE
SET, ELEMENTS = NFT_MSG.NEWSET, NFT_MSG.NEWSETELEM
OBJECT, FLOWTABLE = NFT_MSG.NEWOBJ, NFT_MSG.NEWFLOWTABLE
GET: dict[int, int] = {
    TABLE: NFT_MSG.GETTABLE,
    CHAIN: NFT_MSG.GETCHAIN,
    RULE: NFT_MSG.GETRULE,
    SET: NFT_MSG.GETSET,
    ELEMENTS: NFT_MSG.GETSETELEM,
    OBJECT: NFT_MSG.GETOBJ,
    FLOWTABLE: NFT_MSG.GETFLOWTABLE,
}
NUMBERS: dict[str, int] = {
    "inet": NFPROTO.INET,
    "ip": NFPROTO.IPV4,
    "arp": NFPROTO.ARP,
    "netdev": NFPROTO.NETDEV,
    "bridge": NFPROTO.BRIDGE,
    "ip6": NFPROTO.IPV6,
}
FAMILIES = {number: name for name, number in NUMBERS.items()}


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
        chain = text(found[NFTA_RULE.CHAIN]) if self.kind == RULE else ""
        # the first attribute is the table in objects of each kind, and a table's name
        return FAMILIES.get(self.family, str(self.family)), text(found[NFTA_RULE.TABLE]), chain

    @property
    def set_name(self) -> tuple[int, bytes, bytes]:
        """Of a set or of elements: family, table and name of the set."""
        found = self.attributes
        name = NFTA_SET_ELEM_LIST.SET if self.kind == ELEMENTS else NFTA_SET.NAME
        return self.family, found.get(NFTA_SET.TABLE, b""), found.get(name, b"")

    @property
    def handle(self) -> int:
        """A rule's handle."""
        return int.from_bytes(self.attributes[NFTA_RULE.HANDLE], "big")


def dump() -> tuple[NftObject, ...]:
    """Every object of this thread's namespace, in an order that can be loaded again."""
    found: list[NftObject] = []
    with Netlink(NETFILTER) as netlink:

        def read(kind: int, body: bytes) -> list[NftObject]:
            return [_object_of(kind, data) for _, data in netlink.dump(SUBSYSTEM | GET[kind], body)]

        for kind in (TABLE, CHAIN, SET):
            found += read(kind, nfgenmsg(0))
        for kind in (OBJECT, FLOWTABLE):
            try:
                found += read(kind, nfgenmsg(0))
            except OSError:  # a kernel without them
                continue
        for each in [o for o in found if o.kind == SET]:
            family, table, name = each.set_name
            where = packed([(NFTA_SET_ELEM_LIST.TABLE, table), (NFTA_SET_ELEM_LIST.SET, name)])
            found += read(ELEMENTS, nfgenmsg(family) + where)
        found += read(RULE, nfgenmsg(0))
    return tuple(found)


def rule_handles(family: int, table: str, chain: str) -> list[int]:
    """The handles of a chain's rules in this thread's namespace, in order."""
    where = packed([(NFTA_RULE.TABLE, table.encode() + b"\0"), (NFTA_RULE.CHAIN, chain.encode() + b"\0")])
    with Netlink(NETFILTER) as netlink:
        dumped = netlink.dump(SUBSYSTEM | NFT_MSG.GETRULE, nfgenmsg(family) + where)
    rules = [_object_of(RULE, data) for _, data in dumped]
    return [rule.handle for rule in rules if text(rule.attributes[NFTA_RULE.CHAIN]) == chain]


def _object_of(kind: int, message: bytes) -> NftObject:
    return NftObject(kind, family_of(message), message[NFGENMSG.size :])


def expressions(data: bytes) -> Iterator[tuple[str, dict[int, bytes]]]:
    """Name and data of each expression of a rule."""
    for _, element in attributes(data):
        parts = by_kind(element)
        yield text(parts.get(NFTA_EXPR.NAME, b"")), by_kind(parts.get(NFTA_EXPR.DATA, b""))
