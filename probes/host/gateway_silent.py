"""The gateway does not answer.

## What it checks
The next hop of the routes to CoreDNS's upstream resolvers, when none of them answers the host: an ARP request asks for
its link-layer address.

## Why it matters
Every packet beyond the node's own networks goes to this address first. When it is silent, or wrong, outside names do
not resolve, and live resolvers look dead.

## When it is not a fault
When the outside answers although the gateway ignores ARP requests.

## By hand
`ip route get RESOLVER`, `ip neighbour show to GATEWAY`, `arping -I INTERFACE GATEWAY`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.next_hops import AskedNextHop, Gateways
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import OUTSIDE


@probe(
    area=Area.NODE,
    healthy="the next hop answers",
    explains=(
        "found-by-experiment",
        "coredns-upstream-dead",
        "image-not-obtainable",
        "cluster-ip-unreachable",
        *OUTSIDE,
    ),
)
def gateway_silent(gateways: Gateways, answers: UpstreamAnswers, this: ThisNode) -> Iterator[Finding]:
    """A gateway that does not answer ARP, when the resolvers behind it do not answer either."""
    lookups = answers.from_host()
    silent: dict[str, list[AskedNextHop]] = {}
    for gateway in gateways.items:
        if not gateway.answers:
            silent.setdefault(gateway.address, []).append(gateway)
    for address, several in silent.items():
        routes = ", ".join(f"`{gateway.route}`" for gateway in several)
        yield Finding(
            f"the gateway {address} does not answer: nothing gets beyond it ({routes})",
            (
                _unheard(address, several[0].device),
                *(lookup.evidence("an answer") for lookup in lookups[:1]),
            ),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=(
                *command("ip neigh show to {} dev {}", address, several[0].device),
                *command("sudo arping -c 3 -I {} {}", several[0].device, address),
            ),
        )


def _unheard(address: str, device: str) -> Evidence:
    data = Values(address=address, interface=device)
    return Evidence(f"ARP on {device}, who has {address}", "no answer", "its address", data)
