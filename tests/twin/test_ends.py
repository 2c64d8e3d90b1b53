"""Names of a flow's ends: what each stands for, and one clear sentence for each that stands for nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdoctor.cli.trace import command
from netdoctor.errors import BadInput, CannotRead, NetdoctorError
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pod
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.system.host import Host
from netdoctor.tracing import reading
from netdoctor.tracing.ends import STRANGERS, FlowEnd, Known, matching
from netdoctor.twin.twin import NODE, OUTSIDE
from tests.twin.walks import ALONE, CLIENT, DNS, ECHO, SERVICE, known, node_state

TWO_DNS = (CLIENT, DNS, "kube-system/coredns-8547bb4c78-zzzzz", "shop/client")


def pod(name: str, *, node: str = "minikube", host_network: bool = False, address: str = "10.77.0.2") -> Pod:
    namespace, bare = name.split("/")
    return Pod(namespace, bare, "u", node, (address,), host_network, "Running", True, {}, "", "", "", False)


@pytest.mark.parametrize(
    ("word", "namespace", "label"),
    [
        ("host", NODE, "the node"),
        ("outside", OUTSIDE, "the outside"),
        ("client", CLIENT, f"pod {CLIENT}"),
        ("default/client", CLIENT, f"pod {CLIENT}"),
        ("coredns", DNS, f"pod {DNS}"),
        ("kube-system/core", DNS, f"pod {DNS}"),
        ("10.244.0.10", DNS, f"pod {DNS}"),
        ("pod/client", CLIENT, f"pod {CLIENT}"),
        ("pods/client", CLIENT, f"pod {CLIENT}"),
        ("pod/default/client", CLIENT, f"pod {CLIENT}"),
        ("node", NODE, "the node"),
        ("node/minikube", NODE, "the node"),
        ("internet", OUTSIDE, "the outside"),
    ],
)
def test_a_source(word: str, namespace: str, label: str) -> None:
    assert known().source(word) == (namespace, label)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("nobody", f"no pod of this node is called nobody; there are host, outside, {CLIENT}, {ECHO}, {DNS}"),
        ("", "no pod of this node is called (nothing); there are host, outside, "),
        ("10.244.0.200", "no pod of this node has the address 10.244.0.200; there are host, outside, "),
        ("2001:db8::1", "no pod of this node has the address 2001:db8::1; there are "),
        ("default/", f"default/ can be any of {CLIENT}, {ECHO}: write more of its name"),
        ("etcd", "pod kube-system/etcd has the node's own network: write host"),
        ("far", "pod default/far runs on node other, not on this one"),
        ("clinet", "no pod of this node is called clinet; did you mean default/client?"),
        ("shop/client", "no pod of this node is called shop/client; did you mean default/client?"),
        ("pod/cordns", f"no pod of this node is called cordns; did you mean {DNS}?"),
        ("svc/echo", "Service echo sends no packets: write one of its pods; there are host, outside, "),
        ("10.244.0.10:53", "the kernel chooses the port of the source: write 10.244.0.10"),
        ("node/other", "node other is not the node that is copied: that is minikube"),
    ],
)
def test_a_source_that_is_none(word: str, sentence: str) -> None:
    others = (pod("kube-system/etcd", host_network=True), pod("default/far", node="other", address="10.244.9.9"))
    with pytest.raises(BadInput) as caught:
        replace(known(), pods=others).source(word)
    assert str(caught.value).startswith(sentence)


def test_two_pods_of_one_name_or_beginning() -> None:
    two = known(node_state(*TWO_DNS))
    for word in ("coredns", "client"):
        with pytest.raises(BadInput, match=f"{word} can be any of .*, .*: write more of its name"):
            two.source(word)
    assert two.source("shop/client")[0] == "shop/client"


def test_a_pod_that_was_not_captured_is_not_unknown() -> None:
    state = replace(node_state(), left_out=("default/late",))
    with pytest.raises(CannotRead, match="pod default/late was not captured"):
        known(state).source("late")


@pytest.mark.parametrize(
    ("word", "port", "asked", "end"),
    [
        ("kube-dns", "dns", "", FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 53, "udp")),
        ("svc/kube-dns", "53", "", FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 53, "udp")),
        ("kube-system/kube-dns", "53", "tcp", FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 53, "tcp")),
        ("kube-dns", "metrics", "", FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 9153, "tcp")),
        ("echo", "80", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("10.96.0.10", "54", "", FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 54)),
        ("8.8.8.8", "53", "", FlowEnd("", "8.8.8.8", 53)),
        ("2001:DB8::1", "53", "udp", FlowEnd("", "2001:db8::1", 53, "udp")),
        ("10.244.0.10", "53", "", FlowEnd(f"pod {DNS}", "10.244.0.10", 53)),
        ("coredns", "53", "", FlowEnd(f"pod {DNS}", "10.244.0.10", 53)),
        ("echo-99", "8080", "", FlowEnd(f"pod {ECHO}", "10.244.0.11", 8080)),
        ("node", "30080", "", FlowEnd("the node", "10.77.0.2", 30080)),
        ("10.77.0.2", "22", "", FlowEnd("the node", "10.77.0.2", 22)),
        ("services/echo", "80", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("service/default/echo", "80", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("echo.default.svc.cluster.local", "80", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("echo.default.svc", "80", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("echo.default", "80", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("echo", "80/tcp", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("echo", "80/TCP", "tcp", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("svc/echo:80", "", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("svc/echo", "", "", FlowEnd("Service default/echo", "10.111.0.1", 80, "tcp")),
        ("10.96.0.10", "dns", "", FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 53, "udp")),
        ("10.96.0.10:metrics", "", "", FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 9153, "tcp")),
        ("8.8.8.8:53", "", "", FlowEnd("", "8.8.8.8", 53)),
        ("8.8.8.8:53", "53", "", FlowEnd("", "8.8.8.8", 53)),
        ("8.8.8.8:53/udp", "", "", FlowEnd("", "8.8.8.8", 53, "udp")),
        ("[2001:db8::1]:53", "", "", FlowEnd("", "2001:db8::1", 53)),
        ("[2001:db8::1]", "53", "", FlowEnd("", "2001:db8::1", 53)),
        ("pod/coredns", "53", "", FlowEnd(f"pod {DNS}", "10.244.0.10", 53)),
        ("pods/echo", "8080", "", FlowEnd(f"pod {ECHO}", "10.244.0.11", 8080)),
        ("node/minikube", "22", "", FlowEnd("the node", "10.77.0.2", 22)),
        ("internet", "443", "", FlowEnd("the internet", "8.8.8.8", 443)),
        ("outside", "443", "", FlowEnd("the internet", "8.8.8.8", 443)),
    ],
)
def test_a_target(word: str, port: str, asked: str, end: FlowEnd) -> None:
    assert known().target(word, port, asked) == end


@pytest.mark.parametrize(
    ("word", "port", "asked", "sentence"),
    [
        ("8.8.8.8", "70000", "", "port 70000 is out of range: ports are 1 to 65535"),
        ("8.8.8.8", "0", "", "port 0 is out of range: ports are 1 to 65535"),
        ("8.8.8.8", "-1", "", "-1 is not a port number, and only a Service has names for its ports: 8.8.8.8"),
        ("8.8.8.8", "٣", "", "٣ is not a port number"),
        ("coredns", "dns", "", "dns is not a port number, and only a Service has names for its ports: coredns"),
        ("kube-dns", "54", "", "Service kube-system/kube-dns has no port 54; it has dns 53/udp, dns-tcp 53/tcp, "),
        ("kube-dns", "dns", "tcp", "Service kube-system/kube-dns has no port dns/tcp; it has "),
        ("echo", "8080", "", "Service default/echo has no port 8080; it has 80/tcp"),
        ("svc/nothing", "80", "", "no Service with a ClusterIP is called nothing; there are default/echo, "),
        (
            "nothing",
            "80",
            "",
            "no Service or pod is called nothing; Services: default/echo, kube-system/kube-dns; pods: ",
        ),
        ("8.8.8.8", "", "", "write the port too: 8.8.8.8 PORT"),
        ("kube-dns", "", "", "Service kube-system/kube-dns has several ports: write one of dns 53/udp, "),
        ("8.8.8.8:53", "54", "", "8.8.8.8:53 has a port already, and 54 is another one"),
        ("echo", "80/udp", "", "Service default/echo has no port 80/udp; it has 80/tcp"),
        ("echo", "80/udp", "tcp", "80/udp contradicts --tcp"),
        ("echo", "80/sctp", "", "80/sctp: only tcp and udp can be traced"),
        ("svc/ehco", "80", "", "no Service with a ClusterIP is called ehco; did you mean default/echo?"),
        ("svc/client", "80", "", "no Service with a ClusterIP is called client; did you mean default/client?"),
        ("echo.shop.svc", "80", "", "no Service with a ClusterIP is called shop/echo; did you mean default/echo?"),
        ("kubedns", "80", "", "no Service or pod is called kubedns; did you mean kube-system/kube-dns?"),
        ("default/", "80", "", f"default/ can be any of {CLIENT}, {ECHO}: write more of its name"),
    ],
)
def test_a_target_that_is_none(word: str, port: str, asked: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        known().target(word, port, asked)
    assert str(caught.value).startswith(sentence)


def test_two_services_of_one_name() -> None:
    twin = known(None, SERVICE, ALONE, replace(ALONE, namespace="shop", cluster_ip="10.111.0.2"))
    with pytest.raises(BadInput, match="echo can be any of default/echo, shop/echo: write its namespace too"):
        twin.target("echo", "80")
    assert twin.target("shop/echo", "80").address == "10.111.0.2"


def test_a_pod_of_another_node_can_be_asked() -> None:
    far = replace(known(), pods=(pod("default/far", node="other", address="10.244.9.9"),))
    assert far.target("far", "80").address == "10.244.9.9"


def test_the_nodes_address_without_the_cluster() -> None:
    alone = replace(known(), cluster=ClusterAddresses((), (), ()))
    assert alone.node_address() == "10.77.0.2"
    state = node_state()
    without = replace(state, node=replace(state.node, routes=()))
    with pytest.raises(CannotRead, match="the node has no default route"):
        replace(alone, state=without).node_address()


class TestFlow:
    def flow(self, source: str, word: str, port: str = "80", *, on: Known | None = None) -> tuple[str, str, str]:
        names = on or known()
        flow, address = names.flow(names.source(source)[0], names.target(word, port), "tcp")
        return flow.source, flow.destination, address

    def test_of_a_pod(self) -> None:
        assert self.flow("client", "8.8.8.8") == (CLIENT, "8.8.8.8", "10.244.0.9")

    def test_of_the_node_whose_address_the_kernel_chooses(self) -> None:
        assert self.flow("host", "8.8.8.8") == (NODE, "8.8.8.8", "")

    def test_of_the_outside(self) -> None:
        assert self.flow("outside", "node") == (OUTSIDE, "10.77.0.2", STRANGERS[4])
        assert self.flow("outside", "2001:db8::1")[2] == STRANGERS[6]

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("client", "pod default/client has no IPv6 address to send to 2001:db8::1 from, it has 10.244.0.9"),
            ("host", "the node has no IPv6 address to send to 2001:db8::1 from, it has 10.77.0.2, 10.244.0.1"),
        ],
    )
    def test_of_whom_the_family_is_missing(self, source: str, sentence: str) -> None:
        with pytest.raises(BadInput) as caught:
            self.flow(source, "2001:db8::1")
        assert str(caught.value) == sentence


def test_of_many_pods_those_that_are_written_are_captured_first() -> None:
    words = ("pod/client", "echo.shop.svc.cluster.local", "10.244.0.10:53", "postgres.default")
    assert {"client", "echo", "shop", "10.244.0.10", "postgres", "default"} <= reading._parts(words)


def test_matching() -> None:
    names = ["a/web", "b/web", "b/web-1"]
    assert matching("web", names) == ["a/web", "b/web"]
    assert matching("web-", names) == ["b/web-1"]
    assert matching("b/web", names) == ["b/web"]
    assert matching("", names) == []


class TestReading:
    def test_a_recording(self) -> None:
        given = {NodeNetwork: NodeNetwork(node_state()), Services: Services((SERVICE,), "a test")}
        names = reading.recorded(Facts(given, live=False))
        assert names.source("coredns")[0] == DNS
        assert names.target("kube-dns", "dns").address == "10.96.0.10"
        assert names.lacking == (
            "endpoints on other nodes are not in the copy: recording: it does not hold EndpointSlices",
        )

    @pytest.mark.thorough
    def test_a_recording_without_a_network(self, tmp_path: Path) -> None:
        file = tmp_path / "old.json"
        file.write_text('{"schema_version": 1, "facts": {"Links": {"cannot_read": {"source": "ip", "reason": "x"}}}}')
        done = CliRunner().invoke(command, ["client", "8.8.8.8", "53", "--facts", str(file)])
        assert isinstance(done.exception, NetdoctorError)
        assert done.exception.exit_code == 3
        assert str(done.exception) == "recording: it has no network state to copy (it does not hold NodeNetwork)"

    def test_not_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert not Host().is_root
        with pytest.raises(CannotRead, match="only root may read it: run it with sudo"):
            reading.live(Facts(live=False), ())
