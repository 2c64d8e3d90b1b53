"""kube-proxy ends because it cannot set the kernel's connection tracking.

## What it checks
kube-proxy's pod on this node does not stay up, and its log says that the kernel refused to change nf_conntrack_max, its
timeouts or the size of its table, or has none of them.

## Why it matters
kube-proxy sets them as it starts, and ends where it may not: in a node that is itself a container, or while the module
nf_conntrack is not loaded. Services that are new, or whose pods move, are not reached.

## By hand
`kubectl -n kube-system logs -l k8s-app=kube-proxy --previous`. In its ConfigMap, `conntrack: {maxPerCore: 0, min: 0}`
has it leave the kernel's values alone; a higher nf_conntrack_max on the host has the same effect. Then delete its pod.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.last_ends import LastEnds
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.sysctl import TRACKED_MOST, Sysctls
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_IPS

EDIT = "kubectl -n kube-system edit configmap kube-proxy  # conntrack: {{maxPerCore: 0, min: 0}}"


@probe(
    area=Area.SERVICES,
    healthy="kube-proxy may set connection tracking",
    explains=("kube-proxy-not-running", "kube-proxy-rules-missing", *CLUSTER_IPS),
)
def kube_proxy_conntrack_refused(ends: LastEnds, sysctls: Sysctls | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """Words of kube-proxy's log, and whether the kernel has the setting."""
    for end in ends.of_cause("kube-proxy-conntrack-refused"):
        evidence = [end.evidence()]
        confidence = Confidence.LIKELY
        by_hand = (*command(EDIT), *_new_pod(end.namespace, end.pod))
        if not isinstance(sysctls, CannotRead):
            evidence.append(sysctls.evidence(TRACKED_MOST, "at least what kube-proxy wants"))
            if sysctls[TRACKED_MOST] is None and "no such file" in end.said:
                confidence = Confidence.CONFIRMED
                by_hand = command("sudo modprobe nf_conntrack")
        yield Finding(
            f"kube-proxy does not stay up on this node: it cannot set connection tracking ({end.said})",
            tuple(evidence),
            Subject(node=this.name),
            confidence=confidence,
            by_hand=by_hand,
        )


def _new_pod(namespace: str, pod: str) -> tuple[str, ...]:
    return command("kubectl -n {} delete pod/{}", namespace, pod)
