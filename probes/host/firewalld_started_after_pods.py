"""firewalld was started after the pods, and flushed iptables.

## What it checks
When firewalld runs: whether it was started after the CNI had connected pods that have no masquerade any more.

## Why it matters
As it starts, firewalld 1.3 and older flushes every table of iptables. One act has three effects: kube-proxy's rules are
gone until it looks after half a minute; the masquerade that the CNI wrote once for each pod never comes back; and
firewalld knows nothing of the pods that were there before it, so it rejects what they send.

## When it is not a fault
When the pods' masquerade is in place, or the outside answers them without one.

## By hand
`firewall-cmd --zone=trusted --add-source=POD_CIDR`, once without and once with `--permanent`; then recreate the pods
once kube-proxy's rules are back, CoreDNS first. `systemctl enable firewalld` starts it before the pods at the next
boot.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.masquerade import Masquerade
from netdoctor.facts.traffic.lost_masquerade import lost_masquerade
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.model import Confidence


@probe(
    area=Area.NODE,
    healthy="firewalld was there before the pods",
    explains=(
        "firewalld-rejects-pods", "kube-proxy-rules-missing", "pod-masquerade-missing", "host-port-rules-missing",
    ),
    act=True,
)  # fmt: skip
def firewalld_started_after_pods(
    firewalld: Firewalld,
    masquerade: Masquerade,
    points: VantagePoints,
    answers: UpstreamAnswers | CannotRead,
    attachments: Attachments,
    this: ThisNode,
) -> Iterator[Finding]:
    """The pods that have lost their masquerade were connected before firewalld was started."""
    if not firewalld.running:
        raise NotApplicable("firewalld does not run")
    if not firewalld.started:
        raise NotApplicable("systemd does not say when firewalld was started")
    lost = lost_masquerade(masquerade, points, answers)
    if firewalld.has_direct_rules or not lost.pods:
        return
    connected = {pod.addresses[0]: pod.connected for pod in attachments.pods}
    times = [connected.get(pod.address, "") for pod in lost.pods]
    if not all(times) or max(times) > firewalld.started:
        return
    count = len(times)
    yield Finding(
        "firewalld was started after the pods and flushed iptables: the rules of kube-proxy and the CNI were lost, and "
        f"it does not know the pods (firewalld {firewalld.version})",
        (
            Evidence("systemd, start of firewalld", firewalld.started, f"before the pods ({max(times)} and earlier)"),
            Evidence(
                "iptables nat POSTROUTING",
                f"no masquerade for {count} pods that were connected before",
                "a rule for each pod",
                Values(table="nat", chain="POSTROUTING", count=count),
            ),
        ),
        Subject(node=this.name),
        since=firewalld.started,
        confidence=Confidence.CONFIRMED,
    )
