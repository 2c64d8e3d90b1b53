"""firewalld rejects what pods send.

## What it checks
Which of firewalld's zones each pod's packets fall in: by a source, else by the bridge's interface, else the default
zone. A pod is in trouble when that zone does not accept and its own packets come back as ICMP 3/13 (or vanish, for a
zone with target DROP).

## Why it matters
minikube's CNI configuration has the plugin `firewall`: it asks firewalld to put each new pod's address into zone
trusted, at run time only. A reload or restart of firewalld forgets these sources. Pods made before it are then rejected
towards pods, node and outside, while a new pod works: a test pod proves nothing about the old ones.
The rejections are rate-limited by the kernel, so most of them look like time-outs: CoreDNS logs `i/o timeout`.

## When it is no fault
firewalld may run, and pods may fall in any zone, as long as their packets get through.

## By hand
`firewall-cmd --zone=trusted --add-source=POD_CIDR`, once as it is and once with `--permanent`. Never `--reload`: it
wipes kube-proxy's and the CNI's rules where a direct rule exists (and always with firewalld 1.3 and older).
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Severity, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cni import Attachments, CniConfig
from netdoctor.facts.firewalld import ACCEPTS, Firewalld
from netdoctor.facts.firewalld_rules import FORWARD, INPUT, FirewalldRules
from netdoctor.facts.names import UpstreamAnswers
from netdoctor.facts.pod_network import PodNetwork
from netdoctor.facts.reach import NODE, Flow, Reach
from netdoctor.facts.this_node import ThisNode
from netdoctor.facts.vantage import NEW, VantagePoints
from netdoctor.traffic import Answer, Reply


@probe(
    explains=(
        "pod-to-pod-blocked",
        "pod-to-node-blocked",
        "pod-to-outside-blocked",
        "cluster-ip-unreachable",
        "cluster-dns-silent",
        "coredns-not-ready",
        "outside-names-unresolved",
        "postgres-name-unresolved",
        "postgres-unreachable",
    )
)
def firewalld_rejects_pods(
    firewalld: Firewalld,
    rules: FirewalldRules | CannotRead,
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
    zones = {p.name: (p, *firewalld.zone_of_address(p.address, cni.bridge)) for p in points.pods}
    strays = {name: found for name, found in zones.items() if found[1].target != ACCEPTS}
    if not strays:
        return
    lookups = () if isinstance(answers, CannotRead) else answers.from_pods()
    asked: list[tuple[str, str, bool, Reply]] = [(f.vantage, str(f), _is_to_node(f), f.reply) for f in reach.flows] + [
        (x.vantage, str(x), False, x.reply) for x in lookups
    ]
    rejected = [flow for flow in asked if flow[0] in strays and _shows(flow[3], strays[flow[0]][1].target)]
    if not rejected:
        return
    only_node = all(to_node for _, _, to_node, _ in rejected)
    hit = [strays[name] for name in dict.fromkeys(flow[0] for flow in rejected)]
    zone, by = hit[0][1], hit[0][2]
    trusted = firewalld.zones.get("trusted")
    evidence = [
        Evidence(
            "firewalld, zone trusted, sources", ", ".join(trusted.sources if trusted else ()) or "none",
            ", ".join(network.cidrs),
        ),
        Evidence(f"firewalld, zone of {hit[0][0].name} ({hit[0][0].address})", f"{zone.name}, by {by}", "trusted"),
        *(Evidence(name, str(reply), "an answer") for _, name, _, reply in _telling(rejected)),
    ]  # fmt: skip
    if not isinstance(rules, CannotRead):
        words = [rules.last_word(INPUT if to_node else FORWARD, zone.name) for _, _, to_node, _ in rejected]
        evidence += [Evidence("nft", word, "accept before it") for word in dict.fromkeys(filter(None, words))]
    count = len(_strays(attachments, firewalld, cni.bridge))
    new_works = any(p.kind == NEW for p in points.pods) and not any(p.kind == NEW for p, _, _ in hit)
    forgotten = new_works and cni.plugin("firewall") is not None
    yield Finding(
        f"firewalld rejects what {count} of this node's pods send: they are in zone {zone.name}, not in trusted"
        + ("; it forgot them when it was started or reloaded, and trusts only pods made since" if forgotten else ""),
        tuple(evidence),
        Subject(node=this.name),
        severity=Severity.WARNING if only_node else Severity.ERROR,
    )


def _is_to_node(flow: Flow) -> bool:
    return flow.kind == NODE


def _shows(reply: Reply, target: str) -> bool:
    """Whether the reply is what a zone with this target does to a packet."""
    if target == "DROP":
        return reply.answer is Answer.TIMEOUT
    return reply.answer is Answer.PROHIBITED and reply.icmp.startswith(("3/13 ", "3/10 "))


def _telling(rejected: list[tuple[str, str, bool, Reply]]) -> list[tuple[str, str, bool, Reply]]:
    """One rejected flow to the node and one beyond it, if there are both."""
    chosen = [next((f for f in rejected if not f[2]), None), next((f for f in rejected if f[2]), None)]
    return [flow for flow in chosen if flow]


def _strays(attachments: Attachments, firewalld: Firewalld, bridge: str) -> list[str]:
    return [a.pod for a in attachments.pods if firewalld.zone_of_address(a.addresses[0], bridge)[0].target != ACCEPTS]
