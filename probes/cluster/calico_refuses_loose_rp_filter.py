"""Calico refuses to run while reverse path filtering is loose.

## What it checks
Calico's pod on this node does not stay up, its log says that the kernel's RPF check is loose, and
net.ipv4.conf.all.rp_filter is 2.

## Why it matters
systemd and some distributions set rp_filter to 2. Older versions of Calico end at each start then, because a pod could
send packets from another pod's address. Without its agent Calico connects no new pod.

## When it is not a fault
Newer versions of Calico run with any value.

## By hand
`kubectl -n kube-system logs -l k8s-app=calico-node --previous`. Set rp_filter to 1 (or 0) now and in /etc/sysctl.d, or
tell Calico to accept it (FELIX_IGNORELOOSERPF=true in its DaemonSet).
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.last_ends import LastEnds
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.sysctl import Sysctls
from netdoctor.model import Confidence
from netdoctor.shell import command

RP_FILTER, LOOSE = "net.ipv4.conf.all.rp_filter", "2"


@probe(
    area=Area.PODS,
    healthy="Calico accepts the reverse path filter",
    explains=("network-agent-not-running", "cni-agent-missing", "new-pod-without-network"),
)
def calico_refuses_loose_rp_filter(ends: LastEnds, sysctls: Sysctls | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """Calico's words, and the setting that they are about."""
    found = ends.of_cause("calico-refuses-loose-rp-filter")
    if not found:
        return
    evidence = [found[0].evidence()]
    confidence = Confidence.LIKELY
    if not isinstance(sysctls, CannotRead):
        evidence.append(sysctls.evidence(RP_FILTER, "1 or 0"))
        if sysctls[RP_FILTER] == LOOSE:
            confidence = Confidence.CONFIRMED
    yield Finding(
        f"Calico does not run on this node: {RP_FILTER} is {LOOSE} (loose), and it wants 1 or 0",
        tuple(evidence),
        Subject(node=this.name),
        confidence=confidence,
        by_hand=(
            *command(f"sudo sysctl -w {RP_FILTER}=1"),
            *command("kubectl -n {} delete pod/{}", found[0].namespace, found[0].pod),
        ),
    )
