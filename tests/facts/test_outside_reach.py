"""NodePorts as a neighbour of the node finds them, on a small node whose rules let it in or do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.network_policies import NetworkPolicies
from netdoctor.facts.node.cni import Attachment, Attachments
from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset
from netdoctor.facts.traffic import outside_reach
from netdoctor.facts.traffic.outside_reach import OutsideReach, drops_anything
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer
from tests.builders import pod
from tests.twin.network import ADDRESS, NODE_ADDRESS, SERVER, Node, real, small_node

NODE_PORT = 30080
THIS = ThisNode("n1", (NODE_ADDRESS,), "")
SERVICE = Service("default", "pg", "NodePort", "10.96.0.20", (ServicePort("", "TCP", 5432, NODE_PORT),), {})
ENDS = EndpointSlices({"default/pg": (Endpoint(ADDRESS[SERVER], 5432, "TCP", True, node="n1"),)})
PODS = Pods((pod("server", "default", ADDRESS[SERVER], {}, node="n1"),))
TRANSLATED = (
    f"iptables-nft -t nat -A KUBE-SERVICES -m addrtype --dst-type LOCAL -p tcp --dport {NODE_PORT}"
    f" -j DNAT --to-destination {ADDRESS[SERVER]}:5432"
)
ACCEPTED = "iptables-nft -A FORWARD -s 203.0.113.9 -j DROP"  # a rule that drops, and not this
DROPPED = f"iptables-nft -I FORWARD -i eth0 -d {ADDRESS[SERVER]} -j DROP"
REJECTED = (
    "nft add table inet firewalld",
    "nft add chain inet firewalld filter_FORWARD '{ type filter hook forward priority 10; }'",
    "nft add rule inet firewalld filter_FORWARD iifname eth0 reject with icmp admin-prohibited",
)


@pytest.fixture
def node() -> Iterator[Node]:
    with small_node() as made:
        made.sh(TRANSLATED)
        yield made


def asked(node: Node, services: tuple[Service, ...] = (SERVICE,), *, captured: bool = True) -> OutsideReach:
    path = node.namespaces[SERVER].path
    there = Attachment("id", "pods", "default", "server", "u", path, (ADDRESS[SERVER],), "eth0", (), ())
    attached = Attachments((there,) if captured else ())
    policies = NetworkPolicies((), {})

    def collect() -> OutsideReach:
        host = Host()
        rules = Iptables.collect(host)
        return OutsideReach.collect(host, THIS, Services(services, ""), ENDS, PODS, policies, attached, rules)

    return node.namespaces["node"].run(collect)


@real
def test_without_a_rule_that_drops_no_copy_is_made(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside_reach, "build", None)
    assert asked(node).why_not == "no rule of this node drops anything"
    assert asked(node, ()).why_not == "there is no NodePort or hostPort whose pods are all on this node"


@real
@pytest.mark.parametrize("lines", [(ACCEPTED,), ("nft add table inet somebody",)])
def test_where_rules_let_a_neighbour_in_nothing_is_lost(lines: tuple[str, ...], node: Node) -> None:
    node.sh(*lines)
    assert asked(node) == OutsideReach(1, ())


@real
def test_the_rule_that_drops_is_named(node: Node) -> None:
    node.sh(DROPPED)
    (lost,) = asked(node).lost
    assert (lost.target, lost.address, lost.port) == ("Service default/pg", NODE_ADDRESS, NODE_PORT)
    assert (lost.dropped.table, lost.dropped.chain, lost.reply.answer) == ("filter", "FORWARD", Answer.TIMEOUT)
    assert lost.source.startswith("192.0.2.")
    assert lost.source != NODE_ADDRESS


@real
def test_a_rule_that_rejects_is_named_too(node: Node) -> None:
    node.sh(*REJECTED)
    assert [(lost.dropped.table, lost.reply.answer) for lost in asked(node).lost] == [("firewalld", Answer.PROHIBITED)]


@real
def test_what_no_rule_drops_is_not_reported(node: Node) -> None:
    node.sh(ACCEPTED, "sysctl -qw net.ipv4.ip_forward=0")
    assert asked(node) == OutsideReach(1, ())


@real
def test_a_port_whose_pod_is_in_no_copy_is_not_asked(node: Node) -> None:
    node.sh(DROPPED)
    assert asked(node, captured=False).lost == ()
    elsewhere = replace(SERVICE, other_proxy=True)
    assert asked(node, (elsewhere,)).why_not


@pytest.mark.parametrize(
    ("rules", "drops"),
    [
        (":FORWARD ACCEPT [0:0]\n-A FORWARD -j ACCEPT", False),
        (":FORWARD DROP [0:0]", True),
        (":FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -j REJECT --reject-with icmp-port-unreachable", True),
        (":X - [0:0]\n-A X -s 203.0.113.9/32 -j DROP", True),
        (":X - [0:0]\n-A X -j DROPPED-BY-NAME", False),
        (":KUBE-FORWARD - [0:0]\n-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP", False),
        (":KUBE-FIREWALL - [0:0]\n-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP", False),
        (":CNI-FORWARD - [0:0]\n-A CNI-FORWARD -j DROP", False),
    ],
)
def test_whether_rules_drop_anything(rules: str, drops: bool) -> None:
    assert drops_anything(Ruleset.parse(f"*filter\n{rules}\nCOMMIT")) is drops
    assert drops_anything(EMPTY) is False
