"""The cluster looks for this node at an address that the node does not have, or that another node has too.

## What it checks
The address that this machine's API server gives to everybody (`--advertise-address` of its static pod), the endpoints
of Service `default/kubernetes`, and the InternalIP of this node: whether this machine, or another node, has it; and
whether it answers. Two nodes never have one InternalIP.

## Why it matters
After a change of address (DHCP, a clone of a virtual machine, another network card) everything keeps the old one: the
kubeconfigs, the certificates, etcd, the endpoint of `default/kubernetes`. Pods reach the API server never, or every
second time. A kubelet that reports a wrong InternalIP is asked for logs and `exec` at a machine that is not there.
Where every virtual machine has the same address on its first card (Vagrant's 10.0.2.15), each kubelet reports that one.

## When it is not a fault
When the address answers: a load balancer, a virtual address that moves between control planes, or a NAT of the cloud.

## By hand
`ip -4 address`; `kubectl get endpointslices kubernetes -o wide`; `kubectl get nodes -o wide`. Give the old address back
(a second one beside the new is enough), or renew certificates, kubeconfigs and static pods for the new one. A patched
endpoint is written back within seconds. The kubelet's option `--node-ip` chooses among several cards.
"""

import re
from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.api_endpoints import ApiEndpoints
from netdoctor.facts.traffic.claims import About, Claims
from netdoctor.facts.traffic.reach import NODE, Reach
from netdoctor.facts.traffic.relations import Contradiction, contradictions
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_IPS
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.traffic import Answer


@probe(
    area=Area.NODE,
    healthy="the node has the addresses that the cluster knows it by",
    explains=("api-server-unreachable", "kube-proxy-not-running", "pod-to-node-blocked", *CLUSTER_IPS),
)
def node_address_gone(
    claims: Claims,
    api: KubeApi | CannotRead,
    ends: ApiEndpoints | CannotRead,
    reach: Reach | CannotRead,
    links: Links | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Addresses that nobody has, and that do not answer."""
    told: set[str] = set()
    for found in contradictions(claims, "node-address-gone"):
        address = found.claim.value
        if found.relation.against is About.OTHER_NODE_ADDRESS:
            yield _shared(found, this)
            continue
        of_node = found.claim.about is About.OWN_NODE_ADDRESS
        seen = _of_node(address, reach) if of_node else _of_api(address, api, ends, claims)
        if seen and address not in told:  # one address is one cause, whoever names it
            told.add(address)
            yield _finding(found, seen, links, this)


def _shared(found: Contradiction, this: ThisNode) -> Finding:
    others = ", ".join(other.source for other in found.against)
    return Finding(
        f"{found.claim.about} ({this.name}) is {found.claim.value}, and {others} has the same: {found.consequence}",
        found.evidence(),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
        by_hand=command("kubectl get nodes -o wide"),
    )


def _of_api(
    address: str, api: KubeApi | CannotRead, ends: ApiEndpoints | CannotRead, claims: Claims
) -> tuple[Evidence, ...]:
    """What shows that the API server does not answer there; () where it does, or nobody has asked."""
    if isinstance(api, CannotRead):
        is_it = api.why is Why.NO_ANSWER and not _asks_this_machine(api.source, claims)
        return (Evidence(api.source, api.reason, "its version"),) if is_it else ()
    asked = () if isinstance(ends, CannotRead) else ends.items
    return tuple(end.evidence() for end in asked if end.address == address and end.reply.answer is not Answer.OK)


def _asks_this_machine(source: str, claims: Claims) -> bool:
    """Whether the kubeconfig's address is this machine's: then the API server itself is silent."""
    host = re.search(r"https?://([\d.]+)", source)
    local = {claim.value for claim in claims.of(About.LOCAL_ADDRESS)}
    return host is not None and (host[1] in local or host[1].startswith("127."))


def _of_node(address: str, reach: Reach | CannotRead) -> tuple[Evidence, ...]:
    """What shows that the node does not answer pods there."""
    flows = () if isinstance(reach, CannotRead) else reach.of(NODE)
    asked = [flow for flow in flows if flow.address == address]
    if not asked or any(flow.reply.arrived for flow in asked):
        return ()
    return (asked[0].evidence("an answer"),)


def _finding(found: Contradiction, seen: tuple[Evidence, ...], links: Links | CannotRead, this: ThisNode) -> Finding:
    address = found.claim.value
    of_node = found.claim.about is About.OWN_NODE_ADDRESS
    device = "" if isinstance(links, CannotRead) else next(iter(links.default_devices), "")
    return Finding(
        f"{found.claim.about} is {address} ({found.claim.source}), which no interface of this machine has"
        f"{'' if of_node else ', and no other node'}: {found.consequence}",
        (*found.evidence()[:1], *seen),
        Subject(node=this.name) if of_node else Subject(),
        confidence=Confidence.CONFIRMED,
        by_hand=command("sudo ip address add {} dev {}", f"{address}/32", device) if device else (),
    )
