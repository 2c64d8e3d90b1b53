"""firewalld rejects pod traffic.

## What it checks
Which firewalld zone each pod's packets fall into: by source, else by the bridge's interface, else the default zone. A
pod is affected when that zone does not accept and the pod's own packets come back as ICMP 3/13 (or vanish, if the
zone's target is DROP).

## Why it matters
minikube's CNI configuration has the plugin `firewall`: it asks firewalld to put each new pod's address into zone
trusted, at run time only. A reload or restart of firewalld forgets these sources. Traffic from pods created before
it is then rejected on its way to pods, node and outside, while a new pod works: a test pod proves nothing about the old
ones. The kernel rate-limits the rejections, so most of them look like time-outs: CoreDNS logs `i/o timeout`.

## When it is not a fault
firewalld may run, and pods may be in any zone, as long as their packets get through.

## By hand
`firewall-cmd --zone=trusted --add-source=POD_CIDR`, once without and once with `--permanent`. Never `--reload`: it
wipes kube-proxy's and the CNI's rules where a direct rule exists (and always with firewalld 1.3 and older).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.pod_network import PodNetwork
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import Attachment, Attachments, CniConfig
from netdoctor.facts.node.firewalld import ACCEPTS, Firewalld, Zone
from netdoctor.facts.node.firewalld_rules import FORWARD, INPUT, FirewalldRules
from netdoctor.facts.traffic.drops import Drop, Drops
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.reach import NODE, Reach
from netdoctor.facts.traffic.vantage import NEW, VantagePoint, VantagePoints, pod_of
from netdoctor.model import Confidence
from netdoctor.symptoms import POD_TRAFFIC
from netdoctor.system.traffic import Answer, Reply


@probe(area=Area.NODE, healthy="firewalld accepts pods", explains=POD_TRAFFIC)
def firewalld_rejects_pods(
    firewalld: Firewalld,
    rules: FirewalldRules | CannotRead,
    drops: Drops | CannotRead,
    cni: CniConfig,
    attachments: Attachments,
    network: PodNetwork,
    points: VantagePoints,
    reach: Reach,
    answers: UpstreamAnswers | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Pods whose zone does not accept, and whose packets firewalld rejects or drops."""
    if not firewalld.running:
        raise NotApplicable("firewalld does not run")
    asked = list(_flows(points, reach, answers))
    traced = _traced(drops)
    rejected = _rejected(firewalld, cni.bridge, asked, traced)
    of_these = [drop for flow in rejected for drop in traced if flow.is_of(drop)]
    by_firewalld = [drop for drop in of_these if drop.dropped.table == "firewalld"]
    if not rejected or (not by_firewalld and any(map(_ends_elsewhere, of_these))):
        return
    first = rejected[0].point
    zone, by = firewalld.zone_of_address(first.address, cni.bridge)
    strays = _strays(firewalld, attachments, cni.bridge)
    words, since = _how(firewalld, cni, strays, new_is_fine=_new_is_fine(points, rejected))
    hit = max(len(strays), len({flow.point.name for flow in rejected}))
    yield Finding(
        f"firewalld rejects traffic from {hit} of this node's pods: they are in zone {zone.name} instead of "
        f"trusted{words}",
        (
            _trusted_sources(firewalld, network),
            _zone_of(first, zone.name, by),
            *_refusals(rejected),
            *(_traces(by_firewalld) or _last_words(rules, rejected, zone)),
        ),
        Subject(node=this.name),
        severity=_severity(rejected, asked),
        since=since,
        confidence=Confidence.CONFIRMED,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    point: VantagePoint
    destination: str
    to_node: bool
    reply: Reply
    evidence: Evidence

    def is_of(self, drop: Drop) -> bool:
        """Whether it is this question whose packets ended there."""
        return drop.flow.startswith(f"{self.point.name} -> {self.destination}:")


def _flows(points: VantagePoints, reach: Reach, answers: UpstreamAnswers | CannotRead) -> Iterator[_Asked]:
    by_name = {p.name: p for p in points.pods}
    for flow in reach.flows:
        if point := by_name.get(flow.vantage):
            yield _Asked(point, flow.address, flow.kind == NODE, flow.reply, flow.evidence("an answer"))
    for lookup in () if isinstance(answers, CannotRead) else answers.from_pods():
        if point := by_name.get(lookup.vantage):
            yield _Asked(point, lookup.upstream.address, False, lookup.reply, lookup.evidence("an answer"))


def _traced(drops: Drops | CannotRead) -> tuple[Drop, ...]:
    return () if isinstance(drops, CannotRead) else drops.items


def _rejected(firewalld: Firewalld, bridge: str, asked: list[_Asked], traced: Sequence[Drop]) -> list[_Asked]:
    """The questions that ended as their pods' zones end packets, but for those that something else refuses."""
    by_others = _refused_to_trusted_pods(firewalld, bridge, asked)
    ended = [flow for flow in asked if _ends_by_zone(firewalld, bridge, flow, traced)]
    return [flow for flow in ended if flow.destination not in by_others]


def _ends_elsewhere(drop: Drop) -> bool:
    """Whether something other than firewalld is known to end these packets; a trace that lost them says nothing."""
    return drop.dropped.by_rule or bool(drop.legacy or drop.route)


def _zone_of(pod: VantagePoint, zone: str, by: str) -> Evidence:
    data = Values(pod=pod_of(pod.name), address=pod.address, zone=zone, expected="trusted")
    return Evidence(f"firewalld, zone of {pod.name} ({pod.address})", f"{zone}, by {by}", "trusted", data)


def _trusted_sources(firewalld: Firewalld, network: PodNetwork) -> Evidence:
    trusted = firewalld.zones.get("trusted")
    sources = ", ".join(trusted.sources) if trusted else ""
    return Evidence(
        "firewalld, zone trusted, sources",
        sources or "none",
        ", ".join(network.cidrs),
        Values(zone="trusted", value=sources, expected=", ".join(network.cidrs)),
    )


def _refusals(rejected: list[_Asked]) -> list[Evidence]:
    """One rejected flow beyond the node and one to it, if there are both."""
    beyond = [flow for flow in rejected if not flow.to_node]
    to_node = [flow for flow in rejected if flow.to_node]
    return [flow.evidence for flow in (*beyond[:1], *to_node[:1])]


def _traces(by_firewalld: list[Drop]) -> list[Evidence]:
    return [
        Evidence(f"trace of {drop.flow}", f"{drop.dropped} ({drop.dropped.text})", "accepted", drop.dropped.values)
        for drop in by_firewalld[:2]
    ]


def _severity(rejected: list[_Asked], asked: list[_Asked]) -> Severity:
    """A warning where only the node itself is out of the pods' reach, and what they ask beyond it is answered.

    The kernel sends a pod six ICMP errors at once, then one in a second: silence beyond the node counts as a reject.
    """
    pods = {flow.point.name for flow in rejected}
    beyond = [flow for flow in asked if not flow.to_node and flow.point.name in pods]
    only_to_node = all(flow.to_node for flow in rejected)
    is_answered = all(flow.reply.answer is not Answer.TIMEOUT for flow in beyond)
    return Severity.WARNING if only_to_node and is_answered else Severity.ERROR


def _last_words(rules: FirewalldRules | CannotRead, rejected: list[_Asked], zone: Zone) -> list[Evidence]:
    """The rules that end what the zone does not accept."""
    if isinstance(rules, CannotRead):
        return []
    last = {rules.last_word(INPUT if flow.to_node else FORWARD, zone.name) for flow in rejected}
    return [Evidence("nft", rule, "accept before it", Values(rule=rule)) for rule in sorted(last) if rule]


def _target(firewalld: Firewalld, address: str, bridge: str) -> str:
    return firewalld.zone_of_address(address, bridge)[0].target


def _strays(firewalld: Firewalld, attachments: Attachments, bridge: str) -> list[Attachment]:
    """The pods in a zone that does not accept."""
    return [pod for pod in attachments.pods if _target(firewalld, pod.addresses[0], bridge) != ACCEPTS]


def _ends_by_zone(firewalld: Firewalld, bridge: str, flow: _Asked, traced: Iterable[Drop]) -> bool:
    """Whether the flow ended as its pod's zone ends packets: ICMP 3/13 (3/10 by iptables), or silence for DROP.

    The kernel rations ICMP errors: what was silent, and was seen to end in firewalld's table, ended so too.
    """
    target = _target(firewalld, flow.point.address, bridge)
    if target == ACCEPTS:
        return False
    if flow.reply.answer is Answer.TIMEOUT:
        return target == "DROP" or any(flow.is_of(drop) and drop.dropped.table == "firewalld" for drop in traced)
    return _is_prohibited(flow.reply)


def _is_prohibited(reply: Reply) -> bool:
    return reply.answer is Answer.PROHIBITED and reply.icmp.startswith(("3/13 ", "3/10 "))


def _refused_to_trusted_pods(firewalld: Firewalld, bridge: str, asked: list[_Asked]) -> set[str]:
    """The destinations that something else refuses: pods whose zone accepts are refused there too."""
    refused = [flow for flow in asked if _is_prohibited(flow.reply)]
    return {flow.destination for flow in refused if _target(firewalld, flow.point.address, bridge) == ACCEPTS}


def _new_is_fine(points: VantagePoints, rejected: list[_Asked]) -> bool:
    return any(p.kind == NEW for p in points.pods) and not any(flow.point.kind == NEW for flow in rejected)


def _how(firewalld: Firewalld, cni: CniConfig, strays: list[Attachment], *, new_is_fine: bool) -> tuple[str, str]:
    """How it came to that, in words, and since when, if that is known."""
    connected = max((a.connected for a in strays), default="")
    if connected and firewalld.started > connected:
        return "; firewalld was started after them", firewalld.started
    if new_is_fine and cni.plugin("firewall"):
        return "; a reload removed them from zone trusted, and only pods created since are in it", ""
    return "", ""
