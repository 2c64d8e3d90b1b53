"""How much of a network a recording may hold: counted before anything of it is made.

The limits leave room for the largest nodes that people run (500 pods, 10,000 Services in kube-proxy's rules, 5,000
other nodes, sets of a hundred thousand members). What a copy takes of the kernel's memory is estimated from what each
thing took when it was measured (Linux 6.18).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from netdoctor.twin import jumps
from netdoctor.twin.state import NetworkState
from netdoctor.twin.wire.netlink import attributes, by_kind
from netdoctor.twin.wire.nftables import ELEMENTS, SET, NftObject
from netdoctor.twin.wire.uapi.nf_tables import NFT_SET, NFTA_SET, NFTA_SET_DESC, NFTA_SET_ELEM_LIST

MOST_NAMESPACES = 64
# by kind of thing: how many of them in one namespace, and bytes of kernel memory that each takes
LIMITS = {
    "links": (1_024, 110_000),  # one that leads out of the node is a pair
    "addresses": (20_000, 1_200),  # kube-proxy's IPVS mode has one for each Service
    "routes": (20_000, 700),
    "rules": (2_048, 400),
    "neighbours": (20_000, 700),  # overlays have two for each other node
    "nexthops": (2_048, 500),
    "conntrack": (2_000, 500),
    "nftables": (160_000, 500),
    "nfacct": (256, 200),
    "listeners": (4_096, 4_000),
    "sysctls": (160_000, 8),  # 130 for each link
    "programs": (4_096, 0),
}
LINES = {"ipsets": (200_000, 160), "legacy": (100_000, 700), "legacy6": (100_000, 700)}
ELEMENT, MOST_ELEMENTS = 120, 300_000
# elements whose ranges are in several fields: each one is compared with all that are there
MOST_CONCATENATED = 8_192
NAMESPACE = 600_000
MEMORY = 192 << 20  # bytes of kernel memory of one copy
MOST_LISTENERS = 4_096  # in all namespaces: each is a file descriptor in each copy
UNSIZED = NFT_SET.INTERVAL | NFT_SET.TIMEOUT | NFT_SET.EVAL  # they grow with their elements
BUCKET = 16
LARGEST_HASH = 1 << 20
HASH_SIZE = re.compile(r" hashsize (\d{1,10})\b", re.ASCII)
BITMAP, BITMAP_MEMORY = re.compile(r"create \S+ bitmap:"), 65_536 * 48
ADDED = re.compile(r"add (\S+) ([^\s\"]+)")
CREATED = re.compile(r"create (\S+) (\S+)")
RANGE = re.compile(r"[0-9a-f.:]+-[0-9a-f.:]+|(?:\w+:)?\d+-\d+", re.ASCII | re.IGNORECASE)


def check(states: list[NetworkState]) -> None:
    """Raise ValueError with the first thing that there is too much of."""
    if len(states) > MOST_NAMESPACES:
        raise ValueError(f"{len(states)} namespaces, and no more than {MOST_NAMESPACES} are copied")
    if (listeners := sum(len(state.listeners) for state in states)) > MOST_LISTENERS:
        raise ValueError(f"{listeners} listeners, and no more than {MOST_LISTENERS} are copied")
    memory = 0
    for state in states:
        for what, most, number, each in _amounts(state):
            if number > most:
                raise ValueError(f"{number} {what} in one namespace, and no more than {most} are copied")
            memory += number * each
        memory += NAMESPACE + sum(len(each.body) for each in state.nftables)
        memory += sum(_reserved(each) for each in state.nftables if each.kind == SET) + _sets_of_lines(state.ipsets)
        jumps.check(state.nftables, state.legacy, state.legacy6)
        if memory > MEMORY:
            raise ValueError(f"a copy of it takes more than {MEMORY >> 20} MB of the kernel's memory")


def _amounts(state: NetworkState) -> Iterator[tuple[str, int, int, int]]:
    """What there is, how much of it there may be, how much of it there is, and the memory that each takes."""
    for name, (most, each) in LIMITS.items():
        yield name, most, len(getattr(state, name)), each
    for name, (most, each) in LINES.items():
        yield f"lines of {name}", most, getattr(state, name).count("\n"), each
    yield from _elements(state.nftables)


def _elements(objects: Iterable[NftObject]) -> Iterator[tuple[str, int, int, int]]:
    objects = list(objects)
    concatenated = {each.set_name for each in objects if each.kind == SET and _is_concatenated(each)}
    plain = compared = 0
    for each in objects:
        if each.kind == ELEMENTS:
            number = len(attributes(each.attributes.get(NFTA_SET_ELEM_LIST.ELEMENTS, b"")))
            if each.set_name in concatenated:
                compared += number
            else:
                plain += number
    yield "elements of sets", MOST_ELEMENTS, plain, ELEMENT
    yield "elements of sets with ranges in several fields", MOST_CONCATENATED, compared, 64 * ELEMENT


def _flags(each: NftObject) -> int:
    return int.from_bytes(each.attributes.get(NFTA_SET.FLAGS, b""), "big")


def _is_concatenated(each: NftObject) -> bool:
    return bool(_flags(each) & NFT_SET.INTERVAL) and NFTA_SET_DESC.CONCAT in _description(each)


def _description(each: NftObject) -> dict[int, bytes]:
    return by_kind(each.attributes.get(NFTA_SET.DESC, b""))


def _reserved(each: NftObject) -> int:
    """Bytes that the kernel sets aside for a set of this declared size."""
    size = int.from_bytes(_description(each).get(NFTA_SET_DESC.SIZE, b""), "big")
    return 0 if _flags(each) & UNSIZED else size * BUCKET


def _sets_of_lines(text: str) -> int:
    """Bytes that the kernel sets aside for ipset's sets. Raises ValueError for a line that stands for many members."""
    memory = 0
    kinds: dict[str, str] = {}
    for line in text.splitlines():
        if created := CREATED.match(line):
            kinds[created[1]] = created[2]
            if BITMAP.match(line):
                memory += BITMAP_MEMORY
            for size in HASH_SIZE.findall(line):
                if int(size) > LARGEST_HASH:
                    raise ValueError(f"ipset {line!r:.60}: a table of {size} places")
                memory += int(size) * 8
        elif (added := ADDED.match(line)) and _is_many(kinds.get(added[1], ""), added[2]):
            raise ValueError(f"ipset {line!r:.60}: it stands for many members")
    return memory


def _is_many(kind: str, member: str) -> bool:
    """Whether the kernel would make a member of each address or port in it, as `ipset save` never writes it."""
    fields = kind.partition(":")[2].split(",")
    for place, part in enumerate(member.split(",")):
        field = fields[place] if place < len(fields) else ""
        many = "/" in part and not part.endswith(("/32", "/128"))
        if field not in ("iface", "set") and (RANGE.fullmatch(part) or (many and field != "net")):
            return True
    return False
