"""Pods have lost their masquerade.

## What it checks
Where the outside does not answer pods: whether their packets leave the uplink with the pod's own address. And where the
CNI's bridge plugin masquerades (`ipMasq`): whether each pod that it has connected has its rule in iptables.

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

from netdoctor import Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.masquerade import Masquerade
from netdoctor.facts.traffic.departures import Departure, Departures
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.model import Confidence
from netdoctor.symptoms import OUTSIDE


@probe(explains=OUTSIDE)
def pod_masquerade_missing(
    masquerade: Masquerade,
    points: VantagePoints,
    answers: UpstreamAnswers | CannotRead,
    departures: Departures | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """No rule masquerades them, or their packets are seen to leave as they are, and the outside does not answer."""
    lookups = () if isinstance(answers, CannotRead) else answers.from_pods()
    seen = () if isinstance(departures, CannotRead) else departures.items
    bare = [d for d in seen if d.pod_address in d.sources and not d.came_back]
    lost = {m.address: f"{m.namespace}/{m.pod}" for m in masquerade.missing}
    if lost:
        asked = [x for x in lookups if points.named(x.vantage).address in lost]
        if any(x.reply.answered for x in asked):
            return
        rules = f"no masquerade for {', '.join(list(lost)[:6])}"
        evidence = [
            Evidence("iptables nat POSTROUTING", rules, "a rule for each pod"),
            *(Evidence(str(x), str(x.reply), "an answer") for x in asked[:1]),
        ]
        names = list(lost.values())
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        yield Finding(
            f"{len(names)} {'pod has lost its' if len(names) == 1 else 'pods have lost their'} masquerade ({shown}): "
            "the outside cannot answer their addresses",
            (*evidence, *_left(bare)),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED if asked else Confidence.LIKELY,
        )
    elif bare:
        pods = ", ".join(d.flow.partition(" -> ")[0] for d in bare)
        yield Finding(
            f"packets of pods leave {bare[0].uplink} with the pods' own addresses ({pods} were watched): nothing "
            "masquerades them, and the outside cannot answer",
            tuple(_left(bare)),
            Subject(node=this.name),
        )


def _left(bare: list[Departure]) -> list[Evidence]:
    return [Evidence(f"{d.flow}, on {d.uplink}", str(d), "the node's own address as source") for d in bare[:1]]
