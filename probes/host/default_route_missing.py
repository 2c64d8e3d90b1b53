"""The node has no default route.

## What it checks
The main routing table has a default route, when upstream resolvers outside the node's own networks do not answer.

## Why it matters
Without it the kernel answers `network is unreachable` at once to all traffic that is not local, from the host and from
pods.

## When it is not a fault
- An air-gapped node whose resolvers are on its own network.
- The default route is in another table, which an `ip rule` points to: then the resolvers answer.
- Only IPv6 resolvers are unreachable: this route is about IPv4.

## By hand
`ip route add default via GATEWAY`, and the same in the network's configuration (NetworkManager on Enterprise Linux).
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.model import Confidence
from netdoctor.symptoms import OUTSIDE
from netdoctor.system.traffic import Answer


@probe(
    area=Area.NODE,
    healthy="there is a default route",
    explains=(
        "packets-refused-by-routing",
        "coredns-upstream-dead",
        "image-not-obtainable",
        *OUTSIDE,
        "cluster-ip-unreachable",
    ),
)
def default_route_missing(links: Links, answers: UpstreamAnswers, this: ThisNode) -> Iterator[Finding]:
    """No default route, and upstreams that are unreachable because there is no route."""
    if links.default_routes:
        return
    beyond = [
        x for x in answers.from_host() if ":" not in x.upstream.address and not links.leads_to(x.upstream.address)
    ]
    if any(x.reply.answered for x in beyond):  # by a route of another table
        return
    lost = [x for x in beyond if x.reply.answer is Answer.NET_UNREACHABLE]
    if lost:
        yield Finding(
            "the node has no default route: it cannot send anything beyond its own networks",
            (
                Evidence("ip route", "; ".join(links.routes[:4]) or "empty", "a default route"),
                lost[0].evidence("an answer"),
            ),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
