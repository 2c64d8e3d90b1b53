"""Datagrams to Services of UDP ports alone, on a small node: refused, lost, or sent on to a pod that says nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.network_policies import METADATA_NAME, NetworkPolicies, Policy
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.reach import AskedFlow, Reach
from netdoctor.facts.traffic.service_reach import UDP_SERVICE
from netdoctor.facts.traffic.udp_services import UdpServices
from netdoctor.facts.traffic.vantage import OLD, VantagePoint, VantagePoints
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.build import build
from netdoctor.twin.twin import Flow
from tests.builders import OLD_POD, pod, points
from tests.twin.network import ADDRESS, CLIENT, SERVER, Node, real, small_node

pytestmark = real
STATSD, DNS = "10.96.0.30", "10.96.0.10"
UNREAD = CannotRead("x", "not read")
NO_POLICIES = NetworkPolicies((), {})
THIS = ThisNode("n1", ("192.0.2.10",), "")
ENDS = {
    "default/statsd": (Endpoint(ADDRESS[SERVER], 8125, "UDP", True, node="n1"),),
    "kube-system/kube-dns": (Endpoint(ADDRESS[SERVER], 53, "UDP", True, "dns", "n1"),),
}
SLICES = EndpointSlices(ENDS)
DNS_PORTS = (ServicePort("dns", "UDP", 53, 0), ServicePort("dns-tcp", "TCP", 53, 0))
SERVICES = Services((
    Service("default", "statsd", "ClusterIP", STATSD, (ServicePort("", "UDP", 8125, 0),), {}),
    Service("kube-system", "kube-dns", "ClusterIP", DNS, DNS_PORTS, {}),
), "")  # fmt: skip


def translated(address: str, port: int, end: str) -> str:
    """The rule that leads a ClusterIP somewhere."""
    return f"iptables-nft -t nat -I KUBE-SERVICES -d {address} -p udp --dport {port} -j DNAT --to-destination {end}"


def at_server(port: int) -> str:
    return f"{ADDRESS[SERVER]}:{port}"


@pytest.fixture
def node() -> Iterator[Node]:
    """The small node, with a DNS and a statsd that say nothing."""
    with small_node() as made, ExitStack() as open_sockets:
        made.sh(translated(STATSD, 8125, at_server(8125)), translated(DNS, 53, at_server(53)))
        for port in (53, 8125):
            silent = made.namespaces[SERVER].run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            open_sockets.enter_context(silent)
            silent.bind(("0.0.0.0", port))
        yield made


def asked(
    node: Node, services: Services = SERVICES, slices: EndpointSlices = SLICES, policies: NetworkPolicies = NO_POLICIES
) -> tuple[AskedFlow, ...]:
    client = VantagePoint(
        "pod default/client", OLD, node.namespaces[CLIENT].path, ADDRESS[CLIENT], "default", "client", serves_dns=False
    )
    pods = Pods(tuple(pod(name.partition("/")[2], "default", address, {}) for name, address in ADDRESS.items()))
    points = VantagePoints((client,), "")
    found = node.namespaces["node"].run(lambda: UdpServices.collect(points, THIS, services, slices, pods, policies))
    return found.flows


def test_silence_of_the_application_is_no_loss(node: Node) -> None:
    (flow,) = asked(node)
    assert (str(flow), flow.kind, flow.protocol) == ("pod default/client -> 10.96.0.30:8125", UDP_SERVICE, "udp")
    assert (flow.reply.answer, flow.reply.detail) == (Answer.OK, "sent on to an endpoint")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("iptables-nft -I FORWARD -p udp --dport 8125 -j DROP", Answer.TIMEOUT),
        ("iptables-nft -t raw -A PREROUTING -p udp --dport 8125 -j DROP", Answer.TIMEOUT),
        ("iptables-nft -t raw -A PREROUTING -p udp --dport 8125 -j NOTRACK", Answer.TIMEOUT),
        (f"iptables-nft -t nat -D KUBE-SERVICES -d {STATSD} -p udp --dport 8125 -j DNAT --to-destination "
         f"{at_server(8125)}", Answer.TIMEOUT),
        (translated(STATSD, 8125, "10.244.0.77:8125"), Answer.TIMEOUT),
        ("iptables-nft -I FORWARD -p udp --dport 8125 -j REJECT", Answer.PROHIBITED),
        ("iptables-nft -I FORWARD -p udp --dport 8125 -j REJECT --reject-with icmp-admin-prohibited",
         Answer.PROHIBITED),
    ],
)  # fmt: skip
def test_what_a_rule_takes_is_lost(line: str, answer: Answer, node: Node) -> None:
    node.sh(line)
    (flow,) = asked(node)
    assert flow.reply.answer is answer
    assert not flow.reply.arrived


def test_a_pod_at_which_nobody_listens_refuses(node: Node) -> None:
    node.sh(translated(STATSD, 8125, at_server(9)))
    (flow,) = asked(node)
    assert flow.reply.answer is Answer.REFUSED


def test_silence_proves_nothing_where_nothing_is_tracked(node: Node) -> None:
    node.sh("iptables-nft -t raw -A PREROUTING -p udp -j NOTRACK")
    assert asked(node) == ()
    node.sh("iptables-nft -t raw -F", "iptables-nft -I FORWARD -p udp --dport 8125 -j DROP")
    assert asked(node, replace(SERVICES, items=SERVICES.items[:1])) == (), "no DNS to compare with"


def test_who_is_not_asked(node: Node) -> None:
    assert asked(node, replace(SERVICES, items=SERVICES.items[1:])) == (), "a Service with a TCP port"
    assert asked(node, replace(SERVICES, changing=("default/statsd",))) == (), "kube-proxy may not have followed"
    assert asked(node, slices=replace(SLICES, changing=("default/statsd",))) == ()
    unready = {**ENDS, "default/statsd": (Endpoint(ADDRESS[SERVER], 8125, "UDP", False, node="n1"),)}
    assert asked(node, slices=EndpointSlices(unready)) == ()
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    deny = NetworkPolicies((Policy("default", "deny", spec),), {"default": {METADATA_NAME: "default"}})
    assert asked(node, policies=deny) == ()


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(Answer.TIMEOUT, 500.0), [Answer.TIMEOUT]),
        (Reply(Answer.PROHIBITED, 0.3, "3/13 from 10.96.0.30"), [Answer.PROHIBITED]),
        # a copy cannot tell who refused: there it is a refusal that has to become an answer
        (Reply(Answer.PROHIBITED, 0.3, "3/3 from 10.96.0.30"), [Answer.REFUSED]),
        (Reply(Answer.REFUSED, 0.3, "3/3 from 10.96.0.30"), []),
        (Reply(Answer.OK, 50.0), []),
    ],
    ids=str,
)
def test_what_is_lost_is_asked_in_copies_with_an_empty_datagram(reply: Reply, failure: list[Answer]) -> None:
    over_udp = UdpServices((AskedFlow(OLD_POD, UDP_SERVICE, "Service x", STATSD, 8125, reply, "udp"),))
    found = FailedFlows.collect(points(), Reach(()), UNREAD, UNREAD, UNREAD, UNREAD, over_udp)
    assert [flow.reply.answer for flow in found.items] == failure
    assert all((flow.protocol, flow.question, flow.port) == ("udp", "", 8125) for flow in found.items)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("true", Answer.OK),
        ("iptables-nft -I FORWARD -p udp --dport 8125 -j DROP", Answer.TIMEOUT),
        ("iptables-nft -I FORWARD -p udp --dport 8125 -j REJECT", Answer.REFUSED),
    ],
)
def test_in_a_copy_an_empty_datagram_ends_as_on_the_node(line: str, answer: Answer, node: Node) -> None:
    node.sh(line)
    twin = build(node.state())
    try:
        assert twin.ask(Flow(CLIENT, STATSD, "udp", 8125, in_cluster=True, name="")).answer is answer
    finally:
        twin.close()
