"""A rule of the packet filter drops pod traffic.

## What it checks
Unanswered packets of pods are sent once more and traced through every netfilter hook. The trace names the rule: table,
chain, handle and text. Nothing is traced when everything is answered.

## Why it matters
A rule that somebody added (a hardening job, a security agent, an old script) drops silently, and from outside it
looks like any other time-out.

## When it is not a fault
firewalld's zones and kube-proxy's own rejections have their own probes.

## By hand
`nft add rule inet TABLE CHAIN ip saddr POD meta nftrace set 1` in a table of your own, then `nft monitor trace`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.drops import Drop, Drops
from netdoctor.model import Confidence
from netdoctor.shell import all_of
from netdoctor.symptoms import POD_TRAFFIC
from netdoctor.system.rule_removal import who_writes, without_legacy_rule, without_rule


@probe(area=Area.NODE, healthy="no firewall rule drops pod traffic", explains=POD_TRAFFIC)
def packets_dropped_by_rule(drops: Drops, this: ThisNode) -> Iterator[Finding]:
    """Rules that dropped a traced packet, without those of firewalld and kube-proxy."""
    by_rule: dict[str, list[Drop]] = {}
    for drop in drops.items:
        if rule := _rule(drop):
            by_rule.setdefault(_table_that_drops(drop) or rule, []).append(drop)
    for dropped in by_rule.values():
        yield Finding(
            f"a firewall rule drops pod traffic: {' and '.join(dict.fromkeys(_rule(d) for d in dropped))}",
            tuple(Evidence(f"trace of {d.flow}", _rule(d), "accepted", _values(d)) for d in dropped[:3]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=_by_hand(dropped),
        )


def _table_that_drops(drop: Drop) -> str:
    """The table where a chain's policy dropped: all chains of it that do so are one fault. "" for a rule."""
    where = drop.dropped
    by_policy = not drop.legacy and where.by_rule and not where.handle
    return f"{where.family} {where.table}" if by_policy else ""


def _by_hand(dropped: list[Drop]) -> tuple[str, ...]:
    """Delete the rules, and look for what writes the first one again."""
    removed = all_of(
        without_legacy_rule(d.legacy)
        if d.legacy
        else without_rule(d.dropped.family, d.dropped.table, d.dropped.chain, d.dropped.handle)
        for d in dropped
    )
    return (*removed, *who_writes(dropped[0].legacy or dropped[0].dropped.text)) if removed else ()


def _rule(drop: Drop) -> str:
    """The rule in words; "" where none dropped it, or its owner has a probe of its own."""
    where = drop.dropped
    if drop.legacy:
        return f"iptables-legacy {drop.legacy}"
    if not where.by_rule or where.table in ("firewalld", "kube-proxy") or where.chain.startswith("KUBE-"):
        return ""
    return f"{where} ({where.text})" if where.text else str(where)


def _values(drop: Drop) -> Values:
    return Values(rule=drop.legacy) if drop.legacy else drop.dropped.values
