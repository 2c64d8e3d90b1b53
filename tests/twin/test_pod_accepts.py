"""Rules that accept pods before a policy or a final rule: proposed where nobody wrote that against something."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from netdoctor.changes.accept_rules import AcceptRules
from netdoctor.experiments.pod_accepts import instead_of_policy_or_rule
from netdoctor.rehearsal.rehearsal import HostOfCopy
from netdoctor.system.host import Host
from netdoctor.twin.twin import NODE
from netdoctor.twin.walk import REQUEST, Packet, TraceStep
from tests.twin.network import ADDRESS, CLIENT, CLUSTER, FLOWS, RESOLVER, Node, real
from tests.twin.test_search import searched

pytestmark = [pytest.mark.thorough, real]
OWN = "table inet own {{ chain {hook} {{ type filter hook {hook} priority 0; policy {policy}; {rules} }}; }}"
IN, BACK = "-s 10.244.0.0/24 -i br0", "-d 10.244.0.0/24 -o br0 -m conntrack --ctstate RELATED,ESTABLISHED"
RULES = "nft -s list ruleset | sed -E 's/counter packets [0-9]+ bytes [0-9]+//'"
LABELLED = "-m comment --comment netdoctor-accept -j ACCEPT"
FORWARD = [f"{IN} {LABELLED}", f"{BACK} {LABELLED}"]
INPUT = [
    f"{IN} -m conntrack --ctstate RELATED,ESTABLISHED {LABELLED}",
    f"{IN} -p tcp -m tcp --dport 10250 {LABELLED}",
]
OUTPUT = [
    f"-d 10.244.0.0/24 -o br0 -m conntrack --ctdir ORIGINAL {LABELLED}",
    f"-d 10.244.0.0/24 -o br0 -p tcp -m tcp --sport 10250 {LABELLED}",
]


def nft(hook: str, policy: str, rules: str = "") -> str:
    return f"nft '{OWN.format(hook=hook, policy=policy, rules=rules)}'"


ACCEPTED: dict[str, tuple[list[str], str, str, list[str]]] = {
    "policy of FORWARD": (["iptables-nft -P FORWARD DROP"], "outside", "FORWARD", FORWARD),
    "a final rule of FORWARD": (["iptables-nft -A FORWARD -j DROP"], "service", "FORWARD", FORWARD),
    "docker": (
        ["iptables-nft -N DOCKER-USER", "iptables-nft -A FORWARD -j DOCKER-USER", "iptables-nft -P FORWARD DROP"],
        "outside", "DOCKER-USER", FORWARD,
    ),
    "docker's chain behind the rule": (
        ["iptables-nft -N DOCKER-USER", "iptables-nft -A FORWARD -j DROP", "iptables-nft -A FORWARD -j DOCKER-USER"],
        "outside", "FORWARD", FORWARD,
    ),
    "policy of INPUT": (["iptables-nft -P INPUT DROP"], "node", "INPUT", INPUT),
    "policy of OUTPUT": (["iptables-nft -P OUTPUT DROP"], "node", "OUTPUT", OUTPUT),
    "nft, policy of forward": ([nft("forward", "drop", "ct state established,related accept;")], "outside", "forward", [
        'iifname "br0" ip saddr 10.244.0.0/24 accept comment "netdoctor-accept"',
        'oifname "br0" ip daddr 10.244.0.0/24 ct state established,related accept comment "netdoctor-accept"',
    ]),
    "nft, policy of input": ([nft("input", "drop")], "node", "input", [
        'iifname "br0" ip saddr 10.244.0.0/24 ct state established,related accept comment "netdoctor-accept"',
        'iifname "br0" ip saddr 10.244.0.0/24 tcp dport 10250 accept comment "netdoctor-accept"',
    ]),
    "nft, policy of output": ([nft("output", "drop")], "node", "output", [
        'oifname "br0" ip daddr 10.244.0.0/24 ct direction original accept comment "netdoctor-accept"',
        'oifname "br0" ip daddr 10.244.0.0/24 tcp sport 10250 accept comment "netdoctor-accept"',
    ]),
    "nft, a final rule": ([nft("forward", "accept", "tcp dport 22 accept; counter drop;")], "outside", "forward", [
        'iifname "br0" ip saddr 10.244.0.0/24 accept comment "netdoctor-accept"',
        'oifname "br0" ip daddr 10.244.0.0/24 ct state established,related accept comment "netdoctor-accept"',
    ]),
}  # fmt: skip
WISHES: dict[str, tuple[list[str], str]] = {
    "an address": (["iptables-nft -A FORWARD -s 10.244.0.0/24 -j REJECT"], "outside"),
    "a port": (["iptables-nft -A FORWARD -p udp --dport 53 -j DROP"], "outside"),
    "the bridge of pods": (["iptables-nft -A FORWARD -i br0 -j DROP"], "outside"),
    "interfaces as the bridge": (["iptables-nft -A FORWARD -i br+ -j DROP"], "outside"),
    "a chain that another leads to": (
        ["iptables-nft -N OWN", "iptables-nft -A FORWARD -j OWN", "iptables-nft -A OWN -j DROP"], "outside",
    ),
    "another table of iptables": (["iptables-nft -t raw -A PREROUTING -p udp --dport 53 -j DROP"], "outside"),
    "the policy of another table": (["iptables-nft -t mangle -P FORWARD DROP"], "outside"),
    "nft, an address": ([nft("forward", "accept", "ip saddr 10.244.0.0/24 drop;")], "outside"),
    "what the host itself asks": (["iptables-nft -P OUTPUT DROP"], "host"),
}  # fmt: skip


def change_for(node: Node, flow: str) -> list[AcceptRules]:
    """What is proposed in place of what drops a flow."""
    found, _ = searched(node, flow)
    assert found[flow].alike
    assert found[flow].cures
    return [each for one in min(found[flow].cures, key=len) for each in one.changes if isinstance(each, AcceptRules)]


@pytest.mark.parametrize("name", list(ACCEPTED))
def test_pods_are_accepted_before_it_and_no_more_than_they_need(name: str, node: Node) -> None:
    lines, flow, chain, rules = ACCEPTED[name]
    node.sh(*lines)
    (change,) = change_for(node, flow)
    assert change.chain == chain
    assert [text.removeprefix(f"-A {chain} ") for text in change.texts()] == rules
    node.namespaces["node"].run(lambda: change.check(Host()))
    before = node.text(RULES)
    node.namespaces["node"].run(lambda: change.apply(Host(loads=True)))
    assert node.ask(FLOWS[flow], 2).answered
    node.namespaces["node"].run(lambda: change.undo(Host(loads=True)))
    assert node.text(RULES) == before


def test_pods_of_other_nodes_reach_those_here(node: Node) -> None:
    node.sh("iptables-nft -P FORWARD DROP")
    packet = Packet("udp", ADDRESS[CLIENT], RESOLVER, 4711, 53)
    stop = TraceStep(NODE, REQUEST, packet, "br0", "eth0", "ip", "filter", "FORWARD", 0, "policy drop", "policy drop")
    cidrs = ("10.244.0.0/24", "10.244.1.0/24", "10.245.0.0/24", "fd00::/64")
    found = instead_of_policy_or_rule(node.state(), replace(CLUSTER, pod_cidrs=cidrs), stop)
    assert found is not None
    assert [text.removesuffix(f" {LABELLED}") for text in found.change.texts()] == [
        f"-A FORWARD {IN}",
        "-A FORWARD -s 10.244.0.0/23 -d 10.244.0.0/24 -o br0",
        "-A FORWARD -s 10.245.0.0/24 -d 10.244.0.0/24 -o br0",
        f"-A FORWARD {BACK}",
    ]


@pytest.mark.skipif(not shutil.which("iptables-legacy"), reason="iptables-legacy is not installed")
@pytest.mark.parametrize(("lines", "before"), [
    (["iptables-legacy -P FORWARD DROP"], ""),
    (["iptables-legacy -A FORWARD -j DROP"], "-A FORWARD -j DROP"),
])  # fmt: skip
def test_so_are_they_by_legacy_iptables(lines: list[str], before: str, node: Node) -> None:
    node.sh(*lines)
    (change,) = change_for(node, "outside")
    assert (change.program, change.chain, change.before) == ("iptables-legacy", "FORWARD", before)
    node.namespaces["node"].run(lambda: change.rehearse(HostOfCopy()))
    assert node.ask(FLOWS["outside"], 2).answered


@pytest.mark.parametrize("name", list(WISHES))
def test_what_somebody_wrote_against_something_stays(name: str, node: Node) -> None:
    lines, flow = WISHES[name]
    node.sh(*lines)
    assert change_for(node, flow) == []


@pytest.mark.skipif(not shutil.which("iptables-legacy"), reason="iptables-legacy is not installed")
def test_so_does_it_in_legacy_iptables(node: Node) -> None:
    node.sh("iptables-legacy -A FORWARD -s 10.244.0.0/24 -j DROP")
    assert change_for(node, "outside") == []
