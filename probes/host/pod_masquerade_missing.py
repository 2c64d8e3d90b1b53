"""Pods have lost their masquerade.

## What it checks
When the outside does not answer pods: whether their packets leave the uplink with the pod's own address. When the
CNI's bridge plugin masquerades (`ipMasq`): whether each pod that it has connected has its rule in iptables.

## Why it matters
Hosts beyond the node have no route to the pod network. Without masquerade a packet leaves with the pod's own address
and the reply cannot return: the outside times out while the cluster works. The plugin writes the rule once, when the
pod is created; flushing iptables removes it for good. A CNI that is told not to masquerade (`"ipMasq": false`) leaves
it to others. A rule that sends pods past their masquerade may send them past kube-proxy's as well: then a pod does not
reach itself by its Service.

## When it is not a fault
When the outside answers pods anyway: a router knows the pod network, or another rule translates.

## By hand
Recreate the pods once kube-proxy's rules are back: CoreDNS first, then the others. Where the CNI writes no masquerade:
`iptables -t nat -A POSTROUTING -s POD_CIDR ! -d POD_CIDR -j MASQUERADE`, unless pods are routable on purpose.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.masquerade import Masquerade
from netdoctor.facts.traffic.departures import Departure, Departures
from netdoctor.facts.traffic.lost_masquerade import LostMasquerade, lost_masquerade
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.model import Confidence
from netdoctor.symptoms import OUTSIDE


@probe(area=Area.NODE, healthy="pods are masqueraded", explains=(*OUTSIDE, "pod-to-itself-blocked"))
def pod_masquerade_missing(
    masquerade: Masquerade,
    points: VantagePoints,
    answers: UpstreamAnswers | CannotRead,
    departures: Departures | CannotRead,
    cni: CniConfig | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """No rule masquerades them, or their packets are seen to leave as they are, and the outside does not answer."""
    lost, bare = lost_masquerade(masquerade, points, answers), _bare(departures)
    if lost.pods:
        yield _without_a_rule(lost, bare, this)
    elif bare and not masquerade.missing:
        yield _leaving_as_they_are(bare, cni, this)


def _bare(departures: Departures | CannotRead) -> list[Departure]:
    """The packets that left with their pod's own address, and that nobody answered."""
    seen = () if isinstance(departures, CannotRead) else departures.items
    return [packet for packet in seen if packet.is_bare]


def _without_a_rule(lost: LostMasquerade, bare: list[Departure], this: ThisNode) -> Finding:
    """Pods without a rule in iptables."""
    names = [f"{pod.namespace}/{pod.pod}" for pod in lost.pods]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    have_lost = "pod has lost its" if len(names) == 1 else "pods have lost their"
    data = Values(table="nat", chain="POSTROUTING", count=len(names))
    rules = f"no masquerade for {', '.join(pod.address for pod in lost.pods[:6])}"
    return Finding(
        f"{len(names)} {have_lost} masquerade ({shown}): the outside cannot answer their addresses",
        (
            Evidence("iptables nat POSTROUTING", rules, "a rule for each pod", data),
            *(lookup.evidence("an answer") for lookup in lost.asked[:1]),
            *_left(bare),
        ),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED if lost.asked else Confidence.LIKELY,
    )


def _leaving_as_they_are(bare: list[Departure], cni: CniConfig | CannotRead, this: ThisNode) -> Finding:
    """Packets that were seen on the uplink with a pod's own address."""
    pods = ", ".join(departure.flow.partition(" -> ")[0] for departure in bare)
    return Finding(
        f"packets of pods leave {bare[0].uplink} with the pods' own addresses ({pods} were watched): nothing "
        "masquerades them, and the outside cannot answer",
        (*_left(bare), *_left_to_others(cni)),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
    )


def _left(bare: list[Departure]) -> list[Evidence]:
    return [
        Evidence(
            f"{packet.flow}, on {packet.uplink}",
            str(packet),
            "the node's own address as source",
            Values(address=packet.pod_address, interface=packet.uplink),
        )
        for packet in bare[:1]
    ]


def _left_to_others(cni: CniConfig | CannotRead) -> list[Evidence]:
    """That the CNI is told to masquerade nothing, if it is."""
    bridge = None if isinstance(cni, CannotRead) else cni.plugin("bridge")
    if isinstance(cni, CannotRead) or bridge is None or bridge.get("ipMasq"):
        return []
    return [Evidence(cni.path, "the CNI masquerades nothing: ipMasq is not true", "somebody else masquerades")]
