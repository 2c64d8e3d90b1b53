"""How many rules one packet may have to pass, counted before a recording's rules are loaded.

Chains that jump to each other ten times, ten deep, are a hundred rules and ten thousand million steps of a packet. The
kernel takes these steps for as long as they take: no signal ends them, and nothing else runs on that processor.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from netdoctor.twin.wire.netlink import attributes, by_kind
from netdoctor.twin.wire.nftables import ELEMENTS, RULE, NftObject, expressions
from netdoctor.twin.wire.uapi.nf_tables import NFTA_DATA, NFTA_RULE, NFTA_SET_ELEM, NFTA_SET_ELEM_LIST, NFTA_VERDICT
from netdoctor.twin.wire.uapi.nft_expressions import NFTA_IMMEDIATE, NFTA_LOOKUP

MOST_STEPS = 2_000_000  # 50 ms on Linux 6.18; 10,000 Services are 100,000
TOO_MANY = f"its rules may take a packet more than {MOST_STEPS} steps"
LEGACY_RULE = re.compile(r"(?:\[\d+:\d+\] )?-A (\S+)(.*)", re.ASCII)
LEGACY_JUMP = re.compile(r"\s(?:-[jg]\s*|--[jg][a-z]*[\s=]+)(\S+)")  # options of iptables may be cut short

Chain = tuple[object, ...]


def check(objects: Iterable[NftObject], *legacy: str) -> None:
    """Raise ValueError where a packet may have to pass too many rules, of nftables or of a table of iptables-legacy."""
    for jumps in (_of_nftables(objects), *map(_of_legacy, legacy)):
        steps = most_steps(jumps)
        inner = {to for chain, ahead in jumps.items() for to in ahead if to != chain}
        if sum(found for chain, found in steps.items() if chain not in inner) > MOST_STEPS:
            raise ValueError(TOO_MANY)


def most_steps(jumps: Mapping[Chain, list[Chain]]) -> dict[Chain, int]:
    """The most rules that a packet passes from each chain on, by the chain that each rule leads to (itself for none).

    Raises ValueError for more than MOST_STEPS, and for chains that lead to each other in a circle.
    """
    steps: dict[Chain, int] = {}
    entered: set[Chain] = set()
    for first in jumps:
        waiting = [first]
        while waiting:
            chain = waiting[-1]
            ahead = [to for to in jumps.get(chain, ()) if to != chain]
            missing = [to for to in ahead if to not in steps]
            if chain in steps or not missing:
                waiting.pop()
                found = len(jumps.get(chain, ())) + sum(steps[to] for to in ahead)
                if found > MOST_STEPS:
                    raise ValueError(TOO_MANY)
                steps[chain] = found
            elif chain in entered:
                raise ValueError("its chains of rules lead to each other in a circle")
            else:
                entered.add(chain)
                waiting += dict.fromkeys(missing)
    return steps


def _of_nftables(objects: Iterable[NftObject]) -> dict[Chain, list[Chain]]:
    objects = tuple(objects)
    maps: dict[Chain, list[bytes]] = defaultdict(list)
    for each in objects:
        if each.kind == ELEMENTS:
            found = each.attributes
            _refuse_number(found, NFTA_SET_ELEM_LIST.SET_ID)
            table = (each.family, _name(found, NFTA_SET_ELEM_LIST.TABLE))
            elements = found.get(NFTA_SET_ELEM_LIST.ELEMENTS, b"")
            maps[*table, _name(found, NFTA_SET_ELEM_LIST.SET)] += _chains_of_elements(elements)
    jumps: dict[Chain, list[Chain]] = defaultdict(list)
    for each in objects:
        if each.kind == RULE:
            found = each.attributes
            table = (each.family, _name(found, NFTA_RULE.TABLE))
            chain = (*table, _name(found, NFTA_RULE.CHAIN))
            jumps[chain].append(chain)
            for name, data in expressions(found.get(NFTA_RULE.EXPRESSIONS, b"")):
                if name == "immediate" and (to := _chain_in(data.get(NFTA_IMMEDIATE.DATA, b""))):
                    jumps[chain].append((*table, to))
                elif name == "lookup":
                    _refuse_number(data, NFTA_LOOKUP.SET_ID)
                    jumps[chain] += ((*table, to) for to in maps[*table, _name(data, NFTA_LOOKUP.SET)])
    return jumps


def _refuse_number(found: Mapping[int, bytes], number: int) -> None:
    """Raise ValueError where a set is called by this attribute, not by its name, as the kernel never dumps it."""
    if number in found:
        raise ValueError("a set of nftables without a name")


def _name(found: Mapping[int, bytes], number: int) -> bytes:
    """A name as the kernel compares it: with or without the zero at its end."""
    return found.get(number, b"").partition(b"\0")[0]


def _chains_of_elements(data: bytes) -> Iterator[bytes]:
    for _, element in attributes(data):
        if to := _chain_in(by_kind(element).get(NFTA_SET_ELEM.DATA, b"")):
            yield to


def _chain_in(data: bytes) -> bytes:
    """The chain that a verdict leads to, b"" for none."""
    return _name(by_kind(by_kind(data).get(NFTA_DATA.VERDICT, b"")), NFTA_VERDICT.CHAIN)


def _of_legacy(text: str) -> dict[Chain, list[Chain]]:
    jumps: dict[Chain, list[Chain]] = defaultdict(list)
    table = ""
    for line in text.replace('"', "").replace("\\", "").splitlines():  # iptables takes names in quotes too
        if line.startswith("*"):
            table = line
        elif rule := LEGACY_RULE.fullmatch(line):
            chain = (table, rule[1])
            jumps[chain].append(chain)
            jumps[chain] += ((table, to) for to in LEGACY_JUMP.findall(rule[2]))
    return jumps
