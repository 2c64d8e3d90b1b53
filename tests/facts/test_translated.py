"""kube-proxy's rules are read again where a Service is so young that they may not have followed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import SYNC_SECONDS, Endpoint, EndpointSlices, Services, service_of
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.node.iptables import EMPTY, Iptables
from netdoctor.recording.parts import needed
from netdoctor.system.clock import utc
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from tests.builders import COREDNS, DNS_ADDRESS, NODE_NAME, POSTGRES_IP, iptables, services
from tests.builders import slices as made_slices

NFTABLES = KubeProxy("nftables", "ConfigMap", True, "", "")
THIS = ThisNode(NODE_NAME, (), "")
IPTABLES = Iptables(EMPTY, EMPTY)
DNS, POSTGRES = f"{DNS_ADDRESS} . udp . 53", f"{POSTGRES_IP} . tcp . 5432"
YEAR = 365 * 24 * 3600.0


@dataclass(frozen=True)
class Nft(Host):
    """A host where kube-proxy's table answers with one list of ClusterIPs after the other."""

    answers: list[tuple[str, ...]] = field(default_factory=list)
    end: str = ""  # where each is led; "": to the endpoint of the Service that has its port

    def run(self, argv: Sequence[str], timeout: float = 3.0, stdin: str | None = None) -> str:
        assert list(argv) == ["nft", "list", "table", "ip", "kube-proxy"]
        ports = self.answers.pop(0)
        elements = ", ".join(f"{port} : goto service-{port[-2:]}" for port in ports)
        chains = "".join(
            f"\tchain service-{port[-2:]} {{\n\t\tmeta l4proto {port.split()[2]} dnat to "
            f"{self.end or '10.244.0.9:' + port.split()[-1]}\n\t}}\n"
            for port in ports
        )
        return (
            f"table ip kube-proxy {{\n\tmap service-ips {{\n\t\telements = {{ {elements} }}\n\t}}\n"
            "\tchain nat-prerouting {\n\t\tjump services\n\t}\n\tchain nat-output {\n\t\tjump services\n\t}\n"
            "\tchain services {\n\t\tip daddr . meta l4proto . th dport vmap @service-ips\n\t}\n"
            f"{chains}}}\n"
        )


class Api(KubeApi):
    """An API server that lists two Services and their EndpointSlices, changed so many seconds ago."""

    def __init__(self, service_age: float = YEAR, slice_age: float = YEAR) -> None:
        self.server = "https://192.0.2.10:8443"
        self.service_age, self.slice_age = service_age, slice_age

    def get(self, path: str, **query: str) -> dict[str, Any]:
        del query
        items = [self._item(path, *each) for each in (("kube-dns", DNS_ADDRESS, "UDP", 53),
                                                      ("postgres", POSTGRES_IP, "TCP", 5432))]  # fmt: skip
        return {"items": items}

    def _item(self, path: str, name: str, address: str, protocol: str, port: int) -> Mapping[str, Any]:
        age = self.service_age if path.endswith("/services") else self.slice_age
        changed = utc(time.time() - (age if name == "postgres" else YEAR))
        meta: dict[str, Any] = {"namespace": "x", "name": name, "creationTimestamp": utc(time.time() - YEAR),
                "managedFields": [{"time": utc(time.time() - YEAR)}, {"time": changed}]}  # fmt: skip
        ports = [{"port": port, "protocol": protocol}]
        if path.endswith("/services"):
            return {"metadata": meta, "spec": {"clusterIP": address, "ports": ports}}
        meta["labels"] = {"kubernetes.io/service-name": name}
        return {"metadata": meta, "ports": ports, "endpoints": [{"addresses": ["10.244.0.9"]}]}


def test_what_leads_to_none_of_its_endpoints_is_stale() -> None:
    def stale(slices: EndpointSlices, end: str = "10.244.77.77:53") -> list[tuple[str, str]]:
        found = Translated.read(Host(), "iptables", iptables(dns_end=end)).asked(services(), slices, NODE_NAME)
        return [(str(port), where) for _, port, where in found.stale]

    whole = made_slices()
    assert stale(whole, end=f"{COREDNS}:53") == []
    assert stale(whole) == [("53/udp", "10.244.77.77:53"), ("53/tcp", "10.244.77.77:53")]
    going = (*whole.by_service["kube-system/kube-dns"], Endpoint("10.244.77.77", 53, "UDP", False, "dns"))
    assert stale(EndpointSlices({**whole.by_service, "kube-system/kube-dns": going})) == [], (
        "one that ends is one still"
    )
    assert stale(made_slices("kube-system/kube-dns")) == [], "without an endpoint kube-proxy refuses"


def test_a_recording_holds_what_is_stale_and_not_where_each_rule_leads() -> None:
    whole = Translated.read(Host(), "iptables", iptables(dns_end="10.244.77.77:53"))
    whole = whole.asked(services(), made_slices(), NODE_NAME)
    kept = needed(whole, frozenset())
    assert (len(whole.ends), kept.ends, kept.stale) == (4, (), whole.stale)


def missing(host: Host, api: Api) -> list[str]:
    known = Services.collect(api, IPTABLES), EndpointSlices.collect(api)
    found = Translated.collect(host, NFTABLES, IPTABLES, *known, THIS, api)
    return [f"{service} {port}" for service, port in found.missing]


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it waited, each time; it does not."""
    waits: list[float] = []
    monkeypatch.setattr("netdoctor.facts.cluster.translated.time.sleep", waits.append)
    return waits


@pytest.mark.parametrize("young", [{"service_age": 1.0}, {"slice_age": 1.0}])
def test_a_young_change_that_kube_proxy_is_about_to_write(young: dict[str, float], waited: list[float]) -> None:
    host = Nft(answers=[(DNS,), (DNS,), (DNS, POSTGRES)])
    assert missing(host, Api(**young)) == []
    assert not host.answers
    assert waited == [SYNC_SECONDS]


def test_a_young_service_that_stays_without_a_rule(waited: list[float]) -> None:
    assert missing(Nft(answers=[(DNS,)] * 3), Api(service_age=1.0)) == ["x/postgres 5432/tcp"]
    assert len(waited) == 1


def test_nobody_waits_when_the_missing_one_is_old(waited: list[float]) -> None:
    assert missing(Nft(answers=[(DNS,), (DNS,)]), Api()) == ["x/postgres 5432/tcp"]
    assert waited == []


def test_a_service_that_was_changed_while_the_rules_were_read(waited: list[float]) -> None:
    """What is asked of the API server anew counts, not what it said at first."""
    assert missing(Nft(answers=[(DNS,), (DNS, POSTGRES)]), Api()) == []
    assert waited == []


def test_nothing_is_read_twice_when_all_stand() -> None:
    assert missing(Nft(answers=[(DNS, POSTGRES)]), Api(service_age=1.0)) == []


def test_one_port_of_two() -> None:
    assert missing(Nft(answers=[(POSTGRES,)] * 2), Api()) == ["x/kube-dns 53/udp"]


def test_where_nftables_leads_to_none_of_its_endpoints() -> None:
    api = Api()
    known = Services.collect(api, IPTABLES), EndpointSlices.collect(api)
    host = Nft(answers=[(DNS, POSTGRES)] * 2, end="10.244.77.77:53")
    found = Translated.collect(host, NFTABLES, IPTABLES, *known, THIS, api)
    assert [(str(service), end) for service, _, end in found.stale] == [
        ("x/kube-dns", "10.244.77.77:53"), ("x/postgres", "10.244.77.77:53"),
    ]  # fmt: skip
    assert found.missing == ()


NAME = {"namespace": "x", "name": "s"}
SPEC = {"clusterIP": "10.96.0.7", "ports": [{"port": 80, "nodePort": 30080}]}
LOCAL = {**SPEC, "internalTrafficPolicy": "Local"}


@pytest.mark.parametrize(
    ("meta", "spec", "endpoint_node", "asked"),
    [
        (NAME, SPEC, "elsewhere", (1, 1)),
        (NAME, LOCAL, "elsewhere", (0, 1)),
        (NAME, LOCAL, NODE_NAME, (1, 1)),
        ({**NAME, "labels": {"service.kubernetes.io/service-proxy-name": "other"}}, SPEC, NODE_NAME, (0, 0)),
    ],
)
def test_what_kube_proxy_may_leave_out_here(
    meta: dict[str, Any], spec: dict[str, Any], endpoint_node: str, asked: tuple[int, int]
) -> None:
    found = Services((service_of({"metadata": meta, "spec": spec}),), "")
    piece = {
        "metadata": {"namespace": "x", "labels": {"kubernetes.io/service-name": "s"}},
        "ports": [{"port": 80}, {"name": "any port"}],  # kube-proxy leaves out the one without a number
        "endpoints": [{"addresses": ["10.244.0.9"], "nodeName": endpoint_node}],
    }

    class Slices(Api):
        def get(self, path: str, **query: str) -> dict[str, Any]:
            return {"items": [piece]}

    endpoints = EndpointSlices.collect(Slices())
    assert [e.port for e in endpoints.by_service["x/s"]] == [80]
    wanted = Translated(True, (), True, "").asked(found, endpoints, NODE_NAME)
    assert (len(wanted.missing), len(wanted.missing_node_ports)) == asked
