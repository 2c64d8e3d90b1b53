"""The node's uplink is down, or has no carrier.

## What it checks
The interface that has the node's address, and those of its default routes: administratively up, and with a carrier.

## Why it matters
Without it nothing leaves the node. When an interface goes down the kernel takes its routes along, so that the default
route is missing too: that is a consequence, and adding the route again is refused.

## When it is no fault
A second uplink that is down while the outside answers.

## By hand
`ip link show INTERFACE`: DOWN wants `ip link set INTERFACE up`, and then the routes; NO-CARRIER is a cable, a switch or
the other end.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.links import Links
from netdoctor.facts.names import UpstreamAnswers, answered
from netdoctor.facts.this_node import ThisNode
from netdoctor.symptoms import OUTSIDE


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
    """The node's own interface, down or without a carrier, while nobody outside answers the host."""
    lookups = () if isinstance(answers, CannotRead) else answers.from_host()
    if any(answered(lookup.reply) for lookup in lookups):
        return
    own = [k for k in links.links if set(k.addresses) & set(this.addresses) or k.name in links.default_devices]
    for link in own:
        if link.name == "lo" or (link.up and link.carrier):
            continue
        state, wanted = ("NO-CARRIER", "a carrier") if link.up else ("DOWN", "UP")
        yield Finding(
            f"the uplink {link.name} {'has no carrier' if link.up else 'is down'}: nothing leaves the node",
            (
                Evidence(f"ip link show {link.name}", state, wanted),
                *(Evidence(str(lookup), str(lookup.reply), "an answer") for lookup in lookups[:1]),
            ),
            Subject(node=this.name),
        )
