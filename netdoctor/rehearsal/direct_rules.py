"""Which of firewalld's direct rules change what becomes of some packet: read off their chains, and tried on copies."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise

from netdoctor.changes.direct_rules import Rule, delete, program_of
from netdoctor.errors import CannotRead, NotRehearsable
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.connections import Connection
from netdoctor.facts.node.iptables import Ruleset
from netdoctor.model import Access
from netdoctor.rehearsal.exposure import RESOLVER, ExposedFlow, compared, ways
from netdoctor.rehearsal.named_sources import Named, named_sources, sample
from netdoctor.rehearsal.people import people
from netdoctor.system.host import Host
from netdoctor.twin.build import build
from netdoctor.twin.state import Listener, State
from netdoctor.twin.strangers import uplink_addresses
from netdoctor.twin.twin import NODE, OUTSIDE, Flow, Twin
from netdoctor.twin.wire.rtnl import Address

TABLE = ("inet", "firewalld")  # what firewalld keeps with FirewallBackend=nftables, and with no other
HARMLESS = ("ACCEPT", "RETURN", "LOG", "NFLOG", "MARK", "CONNMARK", "CLASSIFY", "TRACE", "SET")
OWNED = ("KUBE-", "CNI-")  # their verdicts are asked for: Services, pods, the node
# matches that look at a packet and keep nothing of it: another rule may ask what `recent` or `nfacct` keeps
KEEP_NOTHING = (
    "addrtype", "cgroup", "comment", "connmark", "conntrack", "dscp", "esp", "icmp", "icmp6", "icmpv6", "iprange",
    "length", "limit", "mac", "mark", "multiport", "owner", "physdev", "pkttype", "policy", "sctp", "set", "state",
    "tcp", "time", "tos", "ttl", "udp",
)  # fmt: skip
SECONDS = 5.0
OPTIONS = {
    "-s": "source",
    "--source": "source",
    "-d": "destination",
    "--destination": "destination",
    "-p": "protocol",
    "--protocol": "protocol",
    "--dport": "port",
    "--destination-port": "port",
}


def that_matter(
    in_force: Sequence[Rule],
    all_rules: Iterable[Rule],
    state: State,
    cluster: ClusterAddresses,
    connections: Iterable[Connection],
) -> list[tuple[Rule, str]]:
    """The rules without which some packet may end otherwise, each with the reason. Raises CannotRead without copies."""
    rules = list(dict.fromkeys(all_rules))
    if not state.node.has_table(*TABLE):
        why = "firewalld has no nftables table here (FirewallBackend=iptables), so direct rules and zones share chains"
        return [(rule, why) for rule in rules]
    with closing(build(state)) as before, closing(build(state)) as after:
        found = _by_themselves(rules, in_force, before, after)
        if found:
            return found
        named, _ = before.run(lambda: named_sources(state.node))
        tried = [*ways(state, cluster, far=True), *people(state, cluster, connections, named).ways]
        tried += [way for rule in rules for way in _own_ways(rule, state)]
        old, new = compared(before, after, tried)
    if old == new:
        return []
    way = next(way for way in tried if way in old ^ new)
    return [
        (rule, f"without the direct rules, a copy of the node answers otherwise: {way.kind}: {way}") for rule in rules
    ]


def _by_themselves(
    rules: Iterable[Rule], in_force: Sequence[Rule], before: Twin, after: Twin
) -> list[tuple[Rule, str]]:
    """The rules that matter by what their chains say, or that cannot be deleted, with the reason.

    All others that are in force are deleted in the second copy.
    """
    found = []
    for rule in rules:
        reason = before.run(partial(_what_it_spares, rule))
        if not reason and rule in in_force:
            reason = after.run(partial(_deleted, rule))
        if reason:
            found.append((rule, reason))
    return found


def _deleted(rule: Rule) -> str:
    """Delete a rule in this thread's namespace; "" or why that failed."""
    try:
        delete(Host(), rule)
    except NotRehearsable as error:
        return str(error)
    return ""


def _what_it_spares(rule: Rule) -> str:
    """What in its own chain drops packets that the rule may have accepted before, or what else it does; "" for nothing.

    Any other table judges an accepted packet as well.
    """
    _, table, chain, _, arguments = rule
    for word, match in pairwise(arguments):
        if word in ("-m", "--match") and match not in KEEP_NOTHING:
            return f"its match `{match}` keeps what other rules may ask for"
    try:
        there = Ruleset.parse(Host().run([f"{program_of(rule)}-save", "-t", table], timeout=SECONDS))
    except CannotRead as error:
        return str(error)
    policy = there.policies.get(table, {}).get(chain, "")
    if policy != "ACCEPT":
        return f"the policy of chain {chain} is {policy}" if policy else f"{chain} is not a built-in chain of {table}"
    line = _judging_line(there, table, chain)
    return f"`{line}` comes after it or may come after it in chain {chain}" if line else ""


def _judging_line(there: Ruleset, table: str, chain: str) -> str:
    """The first rule of a chain, and of those that it leads to, that may end a packet; "" for none."""
    seen, waiting = set[str](), [chain]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for line in there.rules(table, name):
            for target in _targets(line):
                if there.has_chain(table, target):
                    waiting += [] if target.startswith(OWNED) else [target]
                elif target not in HARMLESS:
                    return line
    return ""


def _targets(line: str) -> list[str]:
    """Every word that may be a rule's target, as iptables-save prints it; what a comment says is one word."""
    try:
        return [after for word, after in pairwise(shlex.split(line)) if word in ("-j", "-g")]
    except ValueError:
        return [line]


def _own_ways(rule: Rule, state: State) -> Iterator[ExposedFlow]:
    """The ways that the rule itself names: to the node, or from it."""
    _, _, chain, _, arguments = rule
    options = _options(arguments)
    protocol, digits = options.get("protocol", ""), re.match(r"[0-9]+", options.get("port", ""))
    if protocol not in ("tcp", "udp") or not digits:
        return
    port, version = int(digits[0]), 4 if rule[0] == "ipv4" else 6
    for node in uplink_addresses(state):
        if node.version != version:
            continue
        own: list[Address] = [node.ip]
        if chain == "OUTPUT" and version == 4:
            for far in _named(options.get("destination", RESOLVER), own):
                yield ExposedFlow(
                    Access.NODE_TO_OUTSIDE, Flow(NODE, far, protocol, port, (Listener(protocol, far, port),))
                )
        if chain == "INPUT":
            for source in _named(options.get("source", ""), own):
                flow = Flow(OUTSIDE, str(node.ip), protocol, port, source_address=source)
                yield ExposedFlow(Access.NAMED_SOURCE, flow, source)


def _options(arguments: Iterable[str]) -> dict[str, str]:
    """What a rule asks of a packet's ends, protocol and port."""
    return {OPTIONS[word]: after for word, after in pairwise(arguments) if word in OPTIONS}


def _named(word: str, taken: list[Address]) -> list[str]:
    return [str(address) for address in sample(Named((word,), (), True), taken)] if word else []
