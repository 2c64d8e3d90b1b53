"""Pods see each other by the node's address.

## What it checks
The tracked connections between the pods that are tested from: whether the other end sees the pod's own address.

## Why it matters
A rule masquerades traffic between pods, mostly one that was meant for the outside, or that another CNI left behind.
Everything answers, but nobody can tell pods apart: a NetworkPolicy that selects pods does not know the sender and drops
it, `pg_hba.conf` and logs have the node's address.

## When it is not a fault
Where a pod reaches itself by its Service, kube-proxy masquerades on purpose. It is a warning only: what fails because
of it is a cause of its own.

## By hand
`conntrack -L --src-nat`; `iptables -t nat -S POSTROUTING`: exclude the pod network (`! -d POD_NETWORK`) from the rule,
or delete the chain of a CNI that is gone.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.hidden_pods import HiddenPod, HiddenPods
from netdoctor.facts.traffic.vantage import pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command


@probe(area=Area.PODS, healthy="pods see each other by their own addresses")
def pods_masqueraded_among_themselves(pods: HiddenPods | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """Pods whose address another pod does not see."""
    if isinstance(pods, CannotRead):
        if pods.why is Why.UNSUPPORTED:
            raise NotApplicable(str(pods))
        raise pods
    if not pods.items:
        return
    first, others = pods.items[0], len(pods.items) - 1
    more = f" (and so are {others} more)" if others else ""
    yield Finding(
        f"{first.pod} is seen by {first.other} as {first.seen_as}{more}: a rule masquerades traffic between pods, so "
        "NetworkPolicies, pg_hba.conf and logs do not know the sender",
        tuple(map(_evidence, pods.items[:3])),
        Subject(node=this.name),
        severity=Severity.WARNING,
        confidence=Confidence.CONFIRMED,
        by_hand=command("sudo iptables -t nat -S POSTROUTING"),
    )


def _evidence(each: HiddenPod) -> Evidence:
    data = Values(pod=pod_of(each.pod), address=each.seen_as, expected=each.pod_address)
    return Evidence(f"connection of {each.pod} with {each.other}", f"source {each.seen_as}", each.pod_address, data)
