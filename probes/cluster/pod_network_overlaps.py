"""The pod network contains the address of a resolver, a gateway or a node.

## What it checks
Whether CoreDNS's upstream resolvers, the gateway of the default route and the nodes' addresses lie in the network that
pods get their addresses from (the CNI configuration, the nodes' podCIDRs), or are a Service's ClusterIP; and whether
they answer pods.

## Why it matters
To a pod every address of the pod network is a neighbour on the node's bridge. It looks for a resolver there by ARP,
nobody answers, and the packet never leaves the node; the node itself has the same route. The resolver is well, and
every other machine reaches it: another upstream in the Corefile hides the fault, and only another pod network cures it.

## When it is not a fault
When the address answers pods anyway, when it is a pod's own, or when the pods' bridge is the node's uplink: then the
pod network is the LAN on purpose. A larger network that contains the pod network and is routed elsewhere does no harm:
the narrower route wins.

## By hand
`ip route get ADDRESS` shows the pods' bridge. Choose a pod network that overlaps with nothing, and change all that name
it: `podSubnet`, the CNI configuration, kube-proxy's `clusterCIDR`; then recreate the pods.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.claims import About, Claim, Claims
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.reach import NODE, Reach
from netdoctor.facts.traffic.relations import Contradiction, contradictions
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import OUTSIDE

EDIT = "sudoedit {:path}  # a subnet without {}"


@probe(
    area=Area.PODS,
    healthy="the pod network overlaps with nothing that pods need",
    explains=("coredns-upstream-dead", "gateway-silent", "pod-to-node-blocked", "found-by-experiment", *OUTSIDE),
)
def pod_network_overlaps(
    claims: Claims,
    cni: CniConfig,
    links: Links,
    answers: UpstreamAnswers | CannotRead,
    reach: Reach | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """What lies in the pod network, is not a pod's, and does not answer pods."""
    if not cni.bridge:
        raise NotApplicable("pods are on no bridge of this node")
    if cni.bridge in links.default_devices:
        raise NotApplicable("the pods' bridge is the node's uplink: pods are in its network on purpose")
    own = {claim.value for claim in claims.of(About.POD_ADDRESS)}
    lost: dict[tuple[str, Claim], list[_Lost]] = {}
    for found in contradictions(claims, "pod-network-overlaps"):
        seen = () if found.claim.value in own else _seen(found, answers, reach, this)
        if seen:
            lost.setdefault((found.consequence, found.against[0]), []).append(_Lost(found, seen))
    alone = {each.found.claim.value for group in lost.values() for each in group}
    for group in lost.values():
        yield _finding(group, links, cni, this.name, _others(answers, alone))


@dataclass(frozen=True, slots=True)
class _Lost:
    """An address that pods need and do not reach, and what shows that."""

    found: Contradiction
    seen: tuple[Evidence, ...]


class _Others(Enum):
    """What the resolvers do that do not lie in the pod network."""

    NONE = ""
    ANSWER = "; another resolver answers, so names are slow"
    SILENT = "; no other resolver answers"


def _seen(
    found: Contradiction, answers: UpstreamAnswers | CannotRead, reach: Reach | CannotRead, this: ThisNode
) -> tuple[Evidence, ...]:
    """What shows that pods do not reach the address; () where they do, or nobody has asked."""
    address = found.claim.value
    if found.claim.about is About.NODE_ADDRESS:
        return () if isinstance(reach, CannotRead) or address not in this.addresses else _seen_at_node(address, reach)
    if isinstance(answers, CannotRead):
        return ()
    asked = answers.from_pods()
    if found.claim.about is About.RESOLVER:
        asked = tuple(lookup for lookup in asked if lookup.upstream.address == address)
    if not asked or any(lookup.reply.answered for lookup in asked):
        return ()
    return (asked[0].evidence("an answer"),)


def _seen_at_node(address: str, reach: Reach) -> tuple[Evidence, ...]:
    """The same of an address of this node."""
    asked = [flow for flow in reach.of(NODE) if flow.address == address]
    if not asked or any(flow.reply.arrived for flow in asked):
        return ()
    return (asked[0].evidence("an answer"),)


def _others(answers: UpstreamAnswers | CannotRead, lost: set[str]) -> _Others:
    asked = () if isinstance(answers, CannotRead) else answers.from_pods()
    others = [lookup for lookup in asked if lookup.upstream.address not in lost]
    if not others:
        return _Others.NONE
    return _Others.ANSWER if any(lookup.reply.answered for lookup in others) else _Others.SILENT


def _finding(group: list[_Lost], links: Links, cni: CniConfig, node: str, others: _Others) -> Finding:
    first = group[0].found
    addresses = ", ".join(each.found.claim.value for each in group)
    other = first.against[0]
    of_resolvers = first.claim.about is About.RESOLVER
    slow = of_resolvers and others is _Others.ANSWER
    by_hand = command(EDIT, other.source, addresses) if other.source == cni.path else ()
    # a resolver that is silent for another reason is a cause of its own
    upstream = addresses if of_resolvers and others is _Others.SILENT else ""
    return Finding(
        f"{first.claim.about} {addresses}: in the {other.about} {other.value} ({other.source}), so "
        f"{first.consequence}{others.value if of_resolvers else ''}",
        (*first.evidence(), *_route(first.claim.value, links), *(each for lost in group for each in lost.seen)),
        Subject(node=node, upstream=upstream),
        severity=Severity.WARNING if slow else Severity.ERROR,
        confidence=Confidence.CONFIRMED,
        by_hand=by_hand,
    )


def _route(address: str, links: Links) -> list[Evidence]:
    """The node's own route to it."""
    return [
        Evidence(
            f"route to {address}", hop.route, "one that leaves the node", Values(interface=hop.device, route=hop.route)
        )
        for hop in links.next_hops(address)[:1]
    ]
