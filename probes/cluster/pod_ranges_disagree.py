"""The cluster's parts name different networks for pods.

## What it checks
The network that the CNI configuration gives to new pods against the podCIDR that the cluster has given this node; and
the network that kube-proxy takes for the pods' (`clusterCIDR`, as its iptables rules have it) against the addresses
that pods of this node really have.

## Why it matters
Each part works alone, so nothing fails at first. Routes and overlays of other nodes lead to the podCIDR: only its own
node reaches a pod outside of it. A kube-proxy with a wrong `clusterCIDR` hides every pod behind its node's address when
it connects to a Service: what tells pods apart by address (NetworkPolicies, `pg_hba.conf`, logs) no longer can.

## When it is not a fault
Where the networks overlap: minikube gives the CNI the whole range of the cluster. A kube-proxy without a `clusterCIDR`
masquerades no pod, and is left alone. It is a warning only: what fails because of it is a cause of its own.

## By hand
`kubectl get nodes -o custom-columns=N:.metadata.name,C:.spec.podCIDRs`, `grep -r subnet /etc/cni/net.d`,
`kubectl -n kube-system get configmap kube-proxy -o yaml | grep clusterCIDR`. Make the three agree, then restart
kube-proxy or recreate the pods.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Severity, Subject, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.claims import About, Claims
from netdoctor.facts.traffic.relations import Contradiction, contradictions
from netdoctor.model import Confidence
from netdoctor.shell import command

SHOWN = 3


@probe(area=Area.PODS, healthy="the cluster's parts agree on the pod network")
def pod_ranges_disagree(claims: Claims, this: ThisNode) -> Iterator[Finding]:
    """Each range that fits none of those it should fit."""
    for found in contradictions(claims, "pod-ranges-disagree"):
        others = list(dict.fromkeys(each.value for each in found.against))
        yield Finding(
            f"{found.claim.about} {found.claim.value} ({found.claim.source}), {found.against[0].about} "
            f"{', '.join(others[:SHOWN])}: {found.relation.consequence}",
            found.evidence()[: SHOWN + 1],
            Subject(node=this.name),
            severity=Severity.WARNING,
            confidence=Confidence.CONFIRMED,
            by_hand=_by_hand(found, others),
        )


def _by_hand(found: Contradiction, others: list[str]) -> tuple[str, ...]:
    if found.claim.about is About.CNI_RANGE:
        return command("sudoedit {:path}  # subnet: {}", found.claim.source, ", ".join(others))
    return command("kubectl -n kube-system edit configmap kube-proxy  # clusterCIDR, now {}", found.claim.value)
