"""The sources that a copy's rules name, for packets and routing: addresses, prefixes, ranges, sets, and the ports."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host
from netdoctor.twin.state import NetworkState, address_of
from netdoctor.twin.wire.messages import RuleMessage
from netdoctor.twin.wire.nftables import RULE
from netdoctor.twin.wire.rtnl import Address

SECONDS = 5.0
MOST_RULES = 5000  # of a table: one with more is kube-proxy's
OF_IPTABLES = ("filter", "mangle", "raw", "security", "nat")
IPTABLES = {"ip": "iptables-nft-save", "ip6": "ip6tables-nft-save"}
IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
IPV6 = r"[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}"
ADDRESS = re.compile(rf"(?<![\w.:])(?:{IPV4}|{IPV6})(?:/[0-9]+|-(?:{IPV4}|{IPV6}))?(?![\w.:])")
SOURCE = re.compile(r"(?:\bsaddr\b|(?:^|\s)-s\s|--src-range\s)(.*?)(?=\bdaddr\b|\s-d\s|--dst-range\s|$)")
PORTS = re.compile(r"(?:\bdport |--dports? |--destination-ports? )(?:!= )?(\{[^}]*\}|[0-9,:-]+)")
# beside an address: in an ipset `,tcp:22`, in a set of nft ` . 22`
BESIDE = re.compile(r"(?:,(?:tcp:|udp:|sctp:)?| \. )([0-9]+)(?![\w.:/])")
# a rule that drops everybody but one source lets that one in
OPENS = re.compile(r"\baccept\b|\bgoto\b|\bjump\b|-[jg] (?!DROP|REJECT)|! -s |! --src-range |saddr != ")


@dataclass(frozen=True, slots=True)
class Named:
    """Sources that stand together in one rule or set, and the ports that the rule names."""

    sources: tuple[str, ...]  # addresses, prefixes, and ranges (A-B)
    ports: tuple[int, ...]
    accepts: bool


def named_sources(state: NetworkState) -> tuple[list[Named], list[str]]:
    """What the rules in this thread's namespace name, which are a copy of the state's; and what was not read of them.

    Those of accepting rules and of sets come first.
    """
    found, not_read = list[Named](), list[str]()
    for family, table in dict.fromkeys(each.place[:2] for each in state.nftables if each.kind == RULE):
        name = f"table {family} {table}"
        if sum(each.kind == RULE and each.place[:2] == (family, table) for each in state.nftables) > MOST_RULES:
            not_read.append(f"{name} has too many rules to look for sources in")
            continue
        try:
            found += in_rules(_text(family, table))
        except CannotRead as error:
            not_read.append(f"{name}: {error}")
    for text in (state.legacy, state.legacy6, state.ipsets):
        found += in_rules(text)
    found += [named for body in state.rules for named in _in_routing_rule(body)]
    return sorted(dict.fromkeys(found), key=lambda named: not named.accepts), not_read


def _in_routing_rule(body: bytes) -> Iterator[Named]:
    """The source of a routing rule."""
    rule = RuleMessage(body)
    if rule.source_length and len(rule.source) in (4, 16):
        yield Named((f"{address_of(rule.source)}/{rule.source_length}",), (), False)


def _text(family: str, table: str) -> str:
    if family in IPTABLES and table in OF_IPTABLES:
        with suppress(CannotRead):  # a table of that name which is not iptables'
            return Host().run([IPTABLES[family], "-t", table], timeout=SECONDS)
    return Host().run(["nft", "-nn", "list", "table", family, table], timeout=SECONDS)


def in_rules(text: str) -> Iterator[Named]:
    """The sources in what nft, iptables-save or ipset save prints."""
    members: dict[str, list[Named]] = {}
    block, in_elements = "", False  # of an nft set or map
    for line in map(str.strip, text.splitlines()):
        block = _block_at(line, block)
        if match := re.match(r"add (\S+) (\S+)", line):  # of an ipset
            members.setdefault(match[1], []).extend(_members(match[2]))
        elif not block:
            yield from _in_rule(line)
        elif in_elements or "elements" in line:
            for part in line.split(","):
                members.setdefault(block, []).extend(_members(part))
            in_elements = "}" not in line
    for listed in members.values():
        yield from _in_set(listed)


def _block_at(line: str, block: str) -> str:
    """The nft set or map that a line stands in or begins; "" for none."""
    if match := re.match(r"(?:set|map) (\S+) \{", line):
        return match[1]
    return "" if line.startswith("chain ") else block


def _in_rule(line: str) -> Iterator[Named]:
    """The sources of one rule."""
    match = SOURCE.search(line)
    sources = tuple(ADDRESS.findall(match[1])) if match else ()
    if sources:
        yield Named(sources, tuple(_ports(line)), bool(OPENS.search(line)))


def _in_set(listed: list[Named]) -> Iterator[Named]:
    """The sources of one set: where ports stand beside them, the first and the last, each with its own."""
    if any(member.ports for member in listed):
        yield from dict.fromkeys((listed[0], listed[-1]))
    elif listed:
        yield Named(tuple(member.sources[0] for member in listed), (), True)


def _members(text: str) -> Iterator[Named]:
    """The sources in one element of a set, and the port that stands beside it: then what follows is a destination."""
    ports = tuple(int(number) for number in BESIDE.findall(text) if 0 < int(number[:6]) < 65536)
    found = ADDRESS.findall(text)
    yield from (Named((address,), ports, True) for address in (found[:1] if ports else found))


def _ports(line: str) -> Iterator[int]:
    """The ports of a rule, of a range both ends."""
    for words in PORTS.findall(line):
        for number in re.findall(r"[0-9]+", ADDRESS.sub("", words)):
            if 0 < int(number[:6]) < 65536:
                yield int(number)


def sample(named: Named, taken: Iterable[Address]) -> list[Address]:
    """An address of the first of these sources, and one of the last; none that is taken."""
    held = {*taken}
    found = (_one(source, held) for source in dict.fromkeys((named.sources[0], named.sources[-1])))
    return [address for address in found if address]


def _one(source: str, taken: set[Address]) -> Address | None:
    """The first address of a source that a host may have, and that is not taken."""
    try:
        fitting = (address for address in _hosts(source) if address not in taken and _may_be_a_host(address))
        return next(fitting, None)
    except (ValueError, TypeError):
        return None


def _hosts(source: str) -> Iterable[Address]:
    """Both ends of a range; of a network its first hosts, without its own name and the broadcast address.

    None where the network is everybody. Raises ValueError.
    """
    first, _, last = source.partition("-")
    if last:
        return ipaddress.ip_address(first), ipaddress.ip_address(last)
    network = ipaddress.ip_network(first, strict=False)
    room = network.num_addresses
    if network.prefixlen == 0:
        return ()
    if room == 1:
        return (network[0],)
    return (network[place] for place in range(1 if room > 2 else 0, min(room, 64)))


def _may_be_a_host(address: Address) -> bool:
    special = address.is_multicast or address.is_loopback or address.is_unspecified
    return not special and not address.is_link_local
