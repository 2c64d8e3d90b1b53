"""CoreDNS and the pods have different cluster domains.

## What it checks
When the cluster DNS does not know a Service's full name: whether the domain in the search list of the pod that asked
belongs to a zone of the Corefile's plugin `kubernetes`.

## Why it matters
The kubelet writes its `clusterDomain` into each pod's search list. CoreDNS knows Services only in the zones of its
plugin `kubernetes`; any other domain it forwards to the outside, where nobody knows it. A typing error in the Corefile,
or a Corefile of another cluster, makes every Service's name unknown (NXDOMAIN), although CoreDNS and Services are fine.

## When it is not a fault
When the names resolve anyway: a plugin `rewrite` or a second server block answers for the other domain.

## By hand
`kubectl -n kube-system get configmap coredns -o yaml | grep kubernetes` shows the zones, `grep clusterDomain
/var/lib/kubelet/config.yaml` what the kubelet writes. Correct whichever is wrong; pods get another search list only
when they are recreated.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.claims import About, Claims
from netdoctor.facts.traffic.names import SERVICE_NAME, ClusterDns, Lookup
from netdoctor.facts.traffic.relations import Contradiction, contradictions
from netdoctor.model import Confidence, Evidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_DNS
from netdoctor.system.traffic import Answer

LOOK = "sudo grep clusterDomain /var/lib/kubelet/config.yaml"
UNKNOWN_NAME = (Answer.NXDOMAIN, Answer.SERVFAIL, Answer.DNS_REFUSED)


@probe(area=Area.DNS, healthy="CoreDNS and pods have the same cluster domain", explains=CLUSTER_DNS)
def cluster_domain_mismatch(claims: Claims, names: ClusterDns, this: ThisNode) -> Iterator[Finding]:
    """Pods whose domain no zone of the Corefile holds, and whose Services' names do not resolve."""
    failed = {lookup.vantage: lookup for lookup in names.of(SERVICE_NAME) if lookup.reply.answer in UNKNOWN_NAME}
    if not failed:
        return
    if not claims.of(About.DNS_ZONE):
        raise CannotRead("Corefile", "no zone of its plugin kubernetes is known")
    searching = len(claims.of(About.SEARCHED_DOMAIN))
    found = [each for each in contradictions(claims, "cluster-domain-mismatch") if each.claim.source in failed]
    by_domain = {each.claim.value: each for each in reversed(found)}
    for domain, first in by_domain.items():
        count = sum(each.claim.value == domain for each in found)
        yield _finding(first, count, searching, failed[first.claim.source], this.name)


def _finding(found: Contradiction, count: int, of: int, lookup: Lookup, node: str) -> Finding:
    zones = " ".join(claim.value for claim in found.against)
    pods = "pods search" if count == of else f"{count} of {of} pods that were looked at search"
    return Finding(
        f"{pods} the cluster domain {found.claim.value}, and CoreDNS answers for {zones}: {found.consequence}",
        (*found.evidence(), lookup.evidence("an address"), _whole(count, of, found.claim.value)),
        Subject(node=node),
        confidence=Confidence.CONFIRMED,
        by_hand=_by_hand(found.claim.value, zones) if count == of else command(LOOK),
    )


def _whole(count: int, of: int, domain: str) -> Evidence:
    return Evidence("pods that search it", f"{count} of {of}", "none", Values(count=count, of=of, name=domain))


def _by_hand(domain: str, zones: str) -> tuple[str, ...]:
    """Have CoreDNS answer for the domain that all pods have: they would have to be recreated for another one."""
    return command("kubectl -n kube-system edit configmap coredns  # kubernetes: {} in place of {}", domain, zones)
