"""netfilter's rules were flushed.

## What it checks
Whether kube-proxy's rules and the CNI's masquerade of pods are gone at the same time, where neither firewalld's direct
rules nor its late start account for it.

## Why it matters
Two programs wrote these rules, and neither deletes those of the other: something flushed the tables (`iptables -F`,
`nft flush ruleset`, `iptables-restore` of a saved file, `systemctl restart nftables`, firewalld as it stops, a script
that "resets the firewall"). kube-proxy's rules are back after half a minute; the CNI writes its own once for each pod,
so the masquerade never comes back.

## When it is not a fault
When the outside answers pods without the rule.

## By hand
Recreate the pods once kube-proxy's rules are back, CoreDNS first. Look for what flushed the tables: `journalctl -b`,
the shell's history, configuration management.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.masquerade import Masquerade
from netdoctor.facts.traffic.lost_masquerade import LostMasquerade, lost_masquerade
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.model import Confidence


@probe(
    area=Area.NODE,
    healthy="netfilter's rules were not flushed",
    explains=("kube-proxy-rules-missing", "pod-masquerade-missing", "host-port-rules-missing"),
    act=True,
)
def netfilter_flushed(
    translated: Translated,
    masquerade: Masquerade,
    points: VantagePoints,
    answers: UpstreamAnswers | CannotRead,
    firewalld: Firewalld,
    attachments: Attachments,
    this: ThisNode,
) -> Iterator[Finding]:
    """The rules of two programs are gone together."""
    if not translated.known:
        raise NotApplicable("kube-proxy's rules are not read in its mode")
    lost = lost_masquerade(masquerade, points, answers)
    if translated.ports or not _all_at_once(lost, attachments):
        return
    if firewalld.has_direct_rules or _started_after(firewalld, attachments):
        return
    yield Finding(
        "netfilter's rules were flushed: those of kube-proxy and of the CNI are gone together",
        (
            Evidence(translated.source, "not there, or empty", "kube-proxy's rules"),
            Evidence(
                "iptables nat POSTROUTING",
                f"no masquerade for {len(lost.pods)} pods, every one that was there",
                "a rule for each pod",
                Values(table="nat", chain="POSTROUTING", count=len(lost.pods)),
            ),
        ),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
    )


def _all_at_once(lost: LostMasquerade, attachments: Attachments) -> bool:
    """Whether each pod has lost its masquerade but those that were connected later than all that have."""
    addresses = {pod.address for pod in lost.pods}
    gone = [pod.connected for pod in attachments.pods if pod.addresses[0] in addresses]
    kept = [pod.connected for pod in attachments.pods if pod.addresses[0] not in addresses]
    if not gone or not all((*gone, *kept)):
        return False  # the times are not known
    return not kept or min(kept) > max(gone)


def _started_after(firewalld: Firewalld, attachments: Attachments) -> bool:
    """Whether firewalld was started after a pod was connected."""
    first = min((pod.connected for pod in attachments.pods if pod.connected), default="")
    return bool(firewalld.running and first and firewalld.started > first)
