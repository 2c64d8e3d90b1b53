"""The node's routing refuses pod traffic.

## What it checks
For unanswered packets of pods that no rule dropped: what the kernel's routing says about them
(`ip route get DESTINATION from POD iif BRIDGE`).

## Why it matters
A prohibit route answers with ICMP 3/13, as firewalld's reject does; a blackhole route and a failed reverse-path check
give no answer at all. No packet filter rule causes this, and none shows it.

## By hand
`ip route show table all | grep -E 'prohibit|blackhole|unreachable'`, `ip rule`; delete what should not be there.
`Invalid argument` means a blackhole route, or a reverse-path check (`net.ipv4.conf.*.rp_filter`) that failed.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.drops import Drop, Drops
from netdoctor.model import Confidence
from netdoctor.shell import all_of, command
from netdoctor.symptoms import POD_TRAFFIC
from netdoctor.system.foreign_text import to_address, to_network

REFUSING = ("prohibit", "blackhole", "unreachable", "throw")


@probe(
    area=Area.NODE,
    healthy="routing accepts pod traffic",
    explains=("coredns-upstream-dead", "image-not-obtainable", *POD_TRAFFIC),
)
def packets_refused_by_routing(drops: Drops, links: Links, this: ThisNode) -> Iterator[Finding]:
    """Traced packets for which the kernel has no route, or one that refuses."""
    by_words: dict[str, list[Drop]] = {}
    for drop in drops.items:
        if drop.route:
            by_words.setdefault(drop.route, []).append(drop)
    for words, refused in by_words.items():
        refusing = [
            r for r in links.routes if r.startswith(REFUSING) and any(_holds(r, d.destination) for d in refused)
        ]
        evidence = [_unrouted(drop, words) for drop in refused[:3]]
        evidence += [
            Evidence("ip route", route, "a route that leads somewhere", Values(route=route)) for route in refusing[:3]
        ]
        named = f" ({'; '.join(refusing[:2])})" if refusing else ""
        yield Finding(
            f"the node's routing refuses pod traffic: {words}{named}",
            tuple(evidence),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=all_of(command("sudo ip route del {}", tuple(route.split())) for route in refusing),
        )


def _unrouted(drop: Drop, words: str) -> Evidence:
    return Evidence(f"ip route get, for {drop.flow}", words, "a route", Values(address=drop.destination))


def _holds(route: str, destination: str) -> bool:
    """Whether a refusing route, as `ip route` prints it, is about this destination."""
    prefix = route.split()[1]
    try:
        network = to_network("0.0.0.0/0" if prefix == "default" else prefix)
        return to_address(destination) in network
    except ValueError:
        return False
