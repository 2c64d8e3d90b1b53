"""Pods have lost their masquerade.

## What it checks
Each pod that the CNI's bridge plugin has connected with `ipMasq` has its masquerade rule in iptables, and its packets
to the outside are answered.

## Why it matters
Beyond the node nobody knows the pod network. Without masquerade a packet leaves with the pod's own address and the
answer finds no way back: the outside times out while the cluster works. The plugin writes the rule once, when the pod
is made; whoever flushes iptables takes it away for good.

## When it is no fault
When the outside answers pods all the same: a router knows the pod network, or another rule translates.

## By hand
Make the pods anew, after kube-proxy's rules are back: CoreDNS first, then the others.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cni import CniConfig
from netdoctor.facts.masquerade import Masquerade
from netdoctor.facts.names import UpstreamAnswers, answered
from netdoctor.facts.this_node import ThisNode
from netdoctor.facts.vantage import VantagePoints
from netdoctor.model import Confidence


@probe(explains=("pod-to-outside-blocked", "outside-names-unresolved"))
def pod_masquerade_missing(
    cni: CniConfig,
    masquerade: Masquerade,
    points: VantagePoints,
    answers: UpstreamAnswers | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """No rule masquerades them, and the outside does not answer them."""
    if not masquerade.wanted:
        raise NotApplicable(f"the CNI ({cni.name or cni.path or 'none'}) writes no masquerade for each pod")
    missing = {m.address: m for m in masquerade.missing}
    asked = {p.name: p for p in points.pods if p.address in missing}
    if not missing:
        return
    lookups = () if isinstance(answers, CannotRead) else [x for x in answers.from_pods() if x.vantage in asked]
    if any(answered(x.reply) for x in lookups):
        return
    names = [f"{m.namespace}/{m.pod}" for m in masquerade.missing]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    evidence = [
        Evidence(
            "iptables nat POSTROUTING", f"no masquerade for {', '.join(list(missing)[:6])}", "a rule for each pod"
        ),
        *(Evidence(str(x), str(x.reply), "an answer") for x in lookups[:1]),
    ]
    yield Finding(
        f"{len(names)} pods have lost their masquerade ({shown}): the outside cannot answer their addresses",
        tuple(evidence),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED if lookups else Confidence.LIKELY,
    )
