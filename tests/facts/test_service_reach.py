"""What is asked beside the flows of every pod, and what is left out because it may fail on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services, service_of
from netdoctor.facts.cluster.workloads import HostPort, Pods, pod_of
from netdoctor.facts.gateways.network_policies import METADATA_NAME, NetworkPolicies, Policy
from netdoctor.facts.traffic.service_reach import (
    FROM_NODE,
    HOST_PORT,
    IPV6_SERVICE,
    ITSELF,
    NODE_PORT,
    SERVICE,
    ServiceReach,
    questions,
)
from netdoctor.facts.traffic.vantage import NEW, OLD, VantagePoint, VantagePoints
from tests.builders import (
    CLIENT,
    COREDNS,
    NODE_ADDRESS,
    OK,
    REFUSED,
    SILENT,
    pod,
    pods,
    points,
    service_reach,
    services,
    slices,
    this_node,
)

ECHO, FAR = "10.244.0.5", "10.244.1.5"
ECHO_POINT = VantagePoint("pod default/echo-1", OLD, "/run/netns/echo", ECHO, "default", "echo-1", ("10.96.0.10",))
LABELLED = tuple(replace(p, labels=(("app", "client"),)) if p.address == CLIENT else p for p in points().points)
POINTS = VantagePoints((*LABELLED, ECHO_POINT), "")
PODS = Pods((
    *pods().items,
    pod("echo-1", "default", ECHO, {"app": "echo"}, host_ports=(HostPort("TCP", 8088, 8080), HostPort("UDP", 53, 53))),
    pod("far-1", "default", FAR, {"app": "far"}, node="n2"),
))  # fmt: skip
NO_POLICIES = NetworkPolicies((), {})


def known(**changed: Any) -> Services:
    """The usual ones, echo with a NodePort, and far, whose pod is on another node; `changed` goes to echo."""
    echo = Service("default", "echo", "NodePort", "10.96.0.60", (ServicePort("", "TCP", 80, 30080),), {"app": "echo"})
    far = Service("default", "far", "ClusterIP", "10.96.0.61", (ServicePort("", "TCP", 80, 0),), {"app": "far"})
    return replace(services(), items=(*services().items, replace(echo, **changed), far))


def ends(**more: tuple[Endpoint, ...]) -> EndpointSlices:
    there = {"echo": (Endpoint(ECHO, 8080, "TCP", True),), "far": (Endpoint(FAR, 80, "TCP", True),), **more}
    return EndpointSlices({**slices().by_service, **{f"default/{name}": found for name, found in there.items()}})


def asked(
    made: Services | None = None, behind: EndpointSlices | None = None, policies: NetworkPolicies = NO_POLICIES
) -> set[tuple[str, str, str, int]]:
    found = questions(POINTS, this_node(), made or known(), behind or ends(), PODS, policies)
    return {(q.point.name, q.kind, q.address, q.port) for q in found}


def of(kind: str, found: set[tuple[str, str, str, int]]) -> set[tuple[str, str, int]]:
    return {(vantage, address, port) for vantage, its, address, port in found if its == kind}


def test_the_node_asks_each_pod_and_what_is_behind_its_ports() -> None:
    assert of(FROM_NODE, asked()) == {
        ("host", "10.244.0.9", 9), ("host", COREDNS, 53), ("host", CLIENT, 9), ("host", ECHO, 9), ("host", ECHO, 8080),
    }  # fmt: skip


def test_pods_that_are_alone_behind_a_service_ask_it() -> None:
    assert of(ITSELF, asked()) == {
        ("pod kube-system/coredns-5dd-xyz12", "10.96.0.10", 53), ("pod default/echo-1", "10.96.0.60", 80),
    }  # fmt: skip
    two = ends(echo=(Endpoint(ECHO, 8080, "TCP", True), Endpoint(FAR, 8080, "TCP", True)))
    assert ("pod default/echo-1", "10.96.0.60", 80) not in of(ITSELF, asked(behind=two))


def test_node_ports_and_host_ports_are_asked_from_the_node_and_a_pod() -> None:
    assert of(NODE_PORT, asked()) == {("host", NODE_ADDRESS, 30080), ("test pod", NODE_ADDRESS, 30080)}
    assert of(HOST_PORT, asked()) == {("host", NODE_ADDRESS, 8088), ("test pod", NODE_ADDRESS, 8088)}
    elsewhere = ends(echo=(Endpoint(FAR, 8080, "TCP", True),))
    assert of(NODE_PORT, asked(behind=elsewhere)) == set()


def test_services_are_asked_here_and_on_other_nodes_by_who_is_not_behind_them() -> None:
    assert of(SERVICE, asked()) == {
        ("test pod", "10.96.0.60", 80), ("pod default/client-7d9-abcde", "10.96.0.60", 80),
        ("test pod", "10.96.0.61", 80), ("pod default/client-7d9-abcde", "10.96.0.61", 80),
    }  # fmt: skip


def test_services_of_both_families_are_asked_over_ipv6_too_by_pods_that_have_it() -> None:
    ipv6, pod_ipv6 = "fd00:96::60", "fd00:244::5"
    dual = tuple(
        replace(p, addresses=(p.address, f"fd00:244::{n}")) if p.kind == NEW else p for n, p in enumerate(POINTS.points)
    )
    echo = pod("echo-1", "default", ECHO, {"app": "echo"})
    running = Pods((*(p for p in PODS.items if p.name != "echo-1"), replace(echo, addresses=(ECHO, pod_ipv6))))
    behind = ends(echo=(Endpoint(ECHO, 8080, "TCP", True), Endpoint(pod_ipv6, 8080, "TCP", True)))
    made = known(second_ip=ipv6)
    found = questions(VantagePoints(dual, ""), this_node(), made, behind, running, NO_POLICIES)
    assert [(q.point.name, q.address, q.port) for q in found if q.kind == IPV6_SERVICE] == [("test pod", ipv6, 80)]
    assert of(IPV6_SERVICE, asked(made)) == set(), "no pod has an address of IPv6"
    only_ipv4 = ends(echo=(Endpoint(ECHO, 8080, "TCP", True),))
    found = questions(VantagePoints(dual, ""), this_node(), made, only_ipv4, running, NO_POLICIES)
    assert [q for q in found if q.kind == IPV6_SERVICE] == [], "no endpoint has one"


def test_both_addresses_of_a_service_and_the_endpoints_of_each_family() -> None:
    spec = {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00:96::7"], "ports": [{"port": 80}]}
    made = service_of({"metadata": {"namespace": "x", "name": "s"}, "spec": spec})
    assert made.second_ip == "fd00:96::7"
    assert service_of({"metadata": {"namespace": "x", "name": "s"}, "spec": {"ports": []}}).second_ip == ""
    slices_of = EndpointSlices({"x/s": (Endpoint(ECHO, 80, "TCP", True), Endpoint("fd00:244::5", 80, "TCP", True))})
    unread = CannotRead("API server", "x")
    found = ClusterAddresses.collect(Services((made,), ""), slices_of, unread, unread)
    assert found.services == (
        ("10.96.0.7", ((ECHO, "tcp", 80, 80),)), ("fd00:96::7", (("fd00:244::5", "tcp", 80, 80),)),
    )  # fmt: skip


def test_of_many_services_of_one_kind_two_are_asked() -> None:
    more = tuple(
        Service("default", f"s{n}", "ClusterIP", f"10.96.1.{n}", (ServicePort("", "TCP", 80, 0),), {}) for n in range(9)
    )
    many = replace(known(), items=(*known().items, *more))
    behind = ends(**{service.name: (Endpoint(FAR, 80, "TCP", True),) for service in more})
    far = {address for _, address, _ in of(SERVICE, asked(many, behind)) if address != "10.96.0.60"}
    assert far == {"10.96.0.61", "10.96.1.0"}


def test_what_may_fail_on_purpose_is_not_asked() -> None:
    no_end = ends(echo=(Endpoint(ECHO, 8080, "TCP", False),))
    outside = ends(echo=(Endpoint("203.0.113.9", 8080, "TCP", True),))
    local = known(node_local=True)
    for made, behind in ((known(), no_end), (known(), outside), (local, ends(echo=(Endpoint(FAR, 80, "TCP", True),)))):
        assert "10.96.0.60" not in {address for _, address, _ in of(SERVICE, asked(made, behind))}
    assert "10.96.0.60" not in {a for _, a, _ in of(SERVICE, asked(known(other_proxy=True)))}


def test_whom_a_policy_restricts_is_neither_asked_nor_asks() -> None:
    labels = {"default": {METADATA_NAME: "default"}}

    def policy(of: str, *directions: str) -> NetworkPolicies:
        spec = {"podSelector": {"matchLabels": {"app": of}}, "policyTypes": list(directions)}
        return NetworkPolicies((Policy("default", "deny", spec),), labels)

    kept_from = asked(policies=policy("echo", "Ingress"))
    assert {kind for _, kind, address, _ in kept_from if address in ("10.96.0.60", NODE_ADDRESS)} == set()
    assert ("host", ECHO, 9) in of(FROM_NODE, kept_from)
    kept_in = of(SERVICE, asked(policies=policy("client", "Egress")))
    assert ("pod default/echo-1", "10.96.0.61", 80) in kept_in
    assert not any(vantage.startswith("pod default/client") for vantage, _, _ in kept_in)
    everybody = NetworkPolicies((Policy("default", "deny", {"podSelector": {}, "policyTypes": ["Egress"]}),), labels)
    assert of(SERVICE, asked(policies=everybody)) == set()


def test_without_the_api_server_the_node_asks_its_pods() -> None:
    unread = CannotRead("API server", "connection refused")
    found = list(questions(POINTS, this_node(), unread, unread, unread, unread))
    assert {q.kind for q in found} == {FROM_NODE}
    assert len(found) == 4


def test_a_refusal_counts_where_the_pod_itself_accepts() -> None:
    assert [f.vantage for f in service_reach(node_port=REFUSED).lost_before(NODE_PORT)] == ["host", "test pod"]
    assert service_reach(node_port=REFUSED, direct=REFUSED).lost_before(NODE_PORT) == []
    assert len(service_reach(node_port=SILENT, direct=REFUSED).lost_before(NODE_PORT)) == 2
    assert service_reach(node_port=OK).lost_before(NODE_PORT) == []
    assert ServiceReach(()).lost_before(HOST_PORT) == []


def test_host_ports_of_a_pod_are_read() -> None:
    ports = [
        {"containerPort": 80, "hostPort": 8080, "hostIP": "0.0.0.0"}, {"containerPort": 81},
        {"containerPort": 53, "hostPort": 53, "hostIP": "127.0.0.1", "protocol": "UDP"},
    ]  # fmt: skip
    meta = {"namespace": "default", "name": "web", "uid": "u"}
    read = pod_of({"metadata": meta, "spec": {"containers": [{"name": "web", "ports": ports}]}})
    assert read.host_ports == (HostPort("TCP", 8080, 80), HostPort("UDP", 53, 53, "127.0.0.1"))
