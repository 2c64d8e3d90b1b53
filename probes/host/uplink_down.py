"""The node's uplink is down, or has no carrier.

## What it checks
Where no resolver answers the host: the interfaces of the routes to them, administratively up and with a carrier. Where
no route leads to them, the interfaces that have the node's address, unless a default route leads over another one.

## Why it matters
Without it nothing leaves the node. When an interface goes down the kernel takes its routes along, so that the default
route is missing too: that is a consequence, and adding the route again is refused.

## When it is no fault
A second uplink that is down while the outside answers, or while the silent resolvers are not behind it.

## By hand
`ip link show INTERFACE`: DOWN wants `ip link set INTERFACE up`, and then the routes; NO-CARRIER is a cable, a switch or
the other end.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.links import Link, Links
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.model import Confidence
from netdoctor.symptoms import OUTSIDE

LEADING_NOWHERE = ("dummy",)  # kinds of links without another end: ipvs keeps its addresses on one that is down


@probe(
    explains=(
        "default-route-missing",
        "gateway-silent",
        "packets-refused-by-routing",
        "found-by-experiment",
        "coredns-upstream-dead",
        "image-not-obtainable",
        "cluster-ip-unreachable",
        *OUTSIDE,
    )
)
def uplink_down(links: Links, answers: UpstreamAnswers | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """The interface that leads out, down or without a carrier, while nobody outside answers the host."""
    lookups = () if isinstance(answers, CannotRead) else answers.from_host()
    if any(lookup.reply.answered for lookup in lookups):
        return
    routed = [hops for x in lookups if (hops := links.next_hops(x.upstream.address))]
    ways = [[link for hop in hops if (link := links.named(hop.device))] for hops in routed]
    if any(link.carries for way in ways for link in way):
        return
    leading = list(dict.fromkeys(link for way in ways for link in way)) or _own(links, this)
    for link in leading:
        state, wanted = ("NO-CARRIER", "a carrier") if link.up else ("DOWN", "UP")
        yield Finding(
            f"the uplink {link.name} {'has no carrier' if link.up else 'is down'}: nothing leaves the node",
            (
                Evidence(f"ip link show {link.name}", state, wanted),
                *(Evidence(str(lookup), str(lookup.reply), "an answer") for lookup in lookups[:1]),
            ),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED if lookups else Confidence.LIKELY,
        )


def _own(links: Links, this: ThisNode) -> list[Link]:
    """The node's own interfaces that cannot send; none where a default route leads over one that can."""
    defaults = [link for name in links.default_devices if (link := links.named(name))]
    if any(link.carries for link in defaults):
        return []
    ports = {link.master for link in links.links}
    own = [link for link in links.links if set(link.addresses) & set(this.addresses) or link in defaults]
    return [
        link for link in own
        if not link.carries and link.name != "lo" and link.kind not in LEADING_NOWHERE
        and (link.kind != "bridge" or link.name in ports)  # a bridge without ports is nobody's
    ]  # fmt: skip
