"""Whom resolvers are asked by, and which address the cluster DNS has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.coredns import Upstream, Upstreams
from netdoctor.facts.traffic.failed_flows import OUTSIDE, FailedFlow, FailedFlows, refused_by_routing
from netdoctor.facts.traffic.names import UpstreamAnswers, UpstreamLookup, cluster_dns_address, questions
from netdoctor.facts.traffic.vantage import HOST, OLD, VantagePoint, VantagePoints
from netdoctor.system.host import Host, ProgramFailed
from tests.builders import (
    BRIDGE,
    CLIENT,
    COREDNS,
    COREDNS_POD,
    DNS_ADDRESS,
    NODE_ADDRESS,
    NXDOMAIN,
    OLD_POD,
    SILENT,
    points,
    reach,
    services,
)

IPV6 = Upstream("fd77::1", 53, False)
NO_DNS = CannotRead("cluster DNS", "not asked")
HOST_POINT = VantagePoint("host", HOST, "", NODE_ADDRESS)
DUAL = VantagePoint(OLD_POD, OLD, "/run/netns/client", CLIENT, "default", "client-7d9-abcde",
                    addresses=(CLIENT, "fd10::3"))  # fmt: skip
OF_NODE = VantagePoint(COREDNS_POD, OLD, "/run/netns/coredns", COREDNS, "kube-system", "coredns-5dd-xyz12",
                       ("8.8.8.8",), ("lan.example",), (("k8s-app", "kube-dns"),))  # fmt: skip


def askers(upstream: Upstream, *points: VantagePoint) -> set[str]:
    return {point.name for point, _, _ in questions(VantagePoints(points, ""), Upstreams((upstream,), "Corefile"))}


class TestQuestions:
    def test_a_pod_is_asked_for_resolvers_of_a_family_that_it_has_an_address_in(self) -> None:
        everybody = {point.name for point in points().points}
        assert askers(Upstream("8.8.8.8", 53, False), *points().points) == everybody
        assert askers(IPV6, *points().points) == {"host"}
        assert askers(IPV6, HOST_POINT, DUAL) == {"host", OLD_POD}

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1"])
    def test_a_resolver_on_loopback_is_in_coredns_own_namespace(self, address: str) -> None:
        assert askers(Upstream(address, 53, False), HOST_POINT, DUAL, OF_NODE) == {COREDNS_POD}


class TestClusterDnsAddress:
    def test_coredns_has_the_nodes_resolvers_and_not_itself(self) -> None:
        client = replace(DUAL, nameservers=("10.96.0.11",), search=("default.svc.cluster.local", "svc.cluster.local"))
        assert cluster_dns_address(VantagePoints((HOST_POINT, OF_NODE, client), ""), services()) == "10.96.0.11"
        assert cluster_dns_address(VantagePoints((HOST_POINT, OF_NODE), ""), services()) == DNS_ADDRESS

    def test_so_have_pods_with_the_nodes_search_list(self) -> None:
        of_node = replace(DUAL, nameservers=("8.8.8.8",), search=("lan.example",))
        assert cluster_dns_address(VantagePoints((of_node,), ""), services()) == DNS_ADDRESS
        with pytest.raises(CannotRead, match="names its address"):
            cluster_dns_address(VantagePoints((of_node,), ""), None)


@dataclass(frozen=True, kw_only=True)
class Refusing(Host):
    """A host whose `ip route get` ends so."""

    failure: CannotRead

    def run(self, argv: object, timeout: float = 3.0, stdin: str | None = None) -> str:
        raise self.failure


def flow(source: str, destination: str) -> FailedFlow:
    return FailedFlow("x", OUTSIDE, "default/client", "", source, destination, "udp", 53, SILENT)


class TestRouting:
    def test_it_is_not_asked_across_families(self) -> None:
        assert refused_by_routing(Host(), flow("10.244.0.10", "fd77::1"), BRIDGE) == ""

    @pytest.mark.parametrize(
        ("failure", "words"),
        [
            (ProgramFailed("ip", "RTNETLINK answers: Network is unreachable"), "Network is unreachable"),
            (ProgramFailed("ip", "RTNETLINK answers: Permission denied"), "Permission denied"),
            (ProgramFailed("ip", 'Error: inet prefix is expected rather than "x".'), ""),
            (CannotRead("ip", "no answer within 3 s", Why.NO_ANSWER), ""),
            (CannotRead("ip", "No such file or directory", Why.ABSENT), ""),
        ],
    )
    def test_only_the_kernels_words_count(self, failure: CannotRead, words: str) -> None:
        assert refused_by_routing(Refusing(failure=failure), flow(CLIENT, "8.8.8.8"), BRIDGE) == words

    def test_a_flow_has_the_address_of_its_family(self) -> None:
        replies = (("host", NXDOMAIN), (OLD_POD, SILENT))
        lookups = tuple(UpstreamLookup(IPV6, name, "udp", reply) for name, reply in replies)
        asked = VantagePoints((HOST_POINT, DUAL), "")
        found = FailedFlows.collect(asked, reach(), UpstreamAnswers(lookups), *[NO_DNS] * 4)
        assert [(f.source, f.destination) for f in found.items] == [("fd10::3", "fd77::1")]
