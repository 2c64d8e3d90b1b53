"""The Services' network does not fit the Services, or overlaps with the pods'.

## What it checks
On a machine with an API server of kubeadm: the network of its option `--service-cluster-ip-range` against the
ClusterIPs that Services have, and against the networks that pods get their addresses from.

## Why it matters
The option counts for new Services only. Those of before keep their addresses and work on, until somebody makes one
again: the cluster DNS then has an address that the kubelet does not write into pods, and Service `kubernetes` one that
is not in the API server's certificate. Where the network overlaps with the pods', a pod can get a Service's address.

## When it is not a fault
It is a warning only: what fails because of it is a cause of its own. A network that was widened holds the old
addresses.

## By hand
`grep service-cluster-ip-range /etc/kubernetes/manifests/kube-apiserver.yaml`, `kubectl get services -A`. Put the old
network back, or add the new one as an object `ServiceCIDR` (Kubernetes 1.33) and leave the option as it is.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Severity, Subject, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.claims import Claims
from netdoctor.facts.traffic.relations import Contradiction, contradictions
from netdoctor.model import Confidence
from netdoctor.shell import command

SHOWN = 3
LOOK = "sudo grep service-cluster-ip-range /etc/kubernetes/manifests/kube-apiserver.yaml"


@probe(area=Area.SERVICES, healthy="the Services' network fits the Services")
def service_ranges_disagree(claims: Claims, this: ThisNode) -> Iterator[Finding]:
    """What does not fit the range, one finding for each consequence."""
    by_consequence: dict[str, list[Contradiction]] = {}
    for found in contradictions(claims, "service-ranges-disagree"):
        by_consequence.setdefault(found.consequence, []).append(found)
    for consequence, each in by_consequence.items():
        first = each[0]
        more = f" and {len(each) - 1} more" if len(each) > 1 else ""
        yield Finding(
            f"{first.claim.about} {first.claim.value} ({first.claim.source}){more}, {first.against[0].about} "
            f"{', '.join(other.value for other in first.against[:SHOWN])}: {consequence}",
            tuple(item for one in each[:SHOWN] for item in one.evidence()[:2]),
            Subject(node=this.name),
            severity=Severity.WARNING,
            confidence=Confidence.CONFIRMED,
            by_hand=command(LOOK),
        )
