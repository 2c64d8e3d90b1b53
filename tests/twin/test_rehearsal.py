"""Rehearsals on a small node: what opens is told, what is needless or cuts off is refused, the rest is said."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from netdoctor.changes.firewalld import TrustSource
from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.changes.module import LoadModule
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import BadInput, Exposed, NotRehearsable
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.connections import Connections
from netdoctor.facts.traffic.failed_flows import OUTSIDE, FailedFlow, FailedFlows
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.model import FROM_PODS, Access, Change
from netdoctor.output.rehearsal_text import as_json, lines
from netdoctor.rehearsal import exposure, second_firewalld
from netdoctor.rehearsal import rehearsal as rehearsal_module
from netdoctor.rehearsal.exposure import ways
from netdoctor.rehearsal.rehearsal import HostOfCopy, Rehearsal, RehearsalVerdict, insist, rehearse
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.build import build
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.state import Listener, State
from netdoctor.twin.twin import Twin
from tests.twin.network import (
    ADDRESS,
    CLIENT,
    CLUSTER,
    FLOWS,
    NODE_ADDRESS,
    RESOLVER,
    SERVER,
    UPLINK_IS_BRIDGE,
    Node,
    real,
    small_node,
)

pytestmark = [pytest.mark.thorough, real]
PODS = "10.244.0.0/24"
# as firewalld has it, with one zone that knows no pod
FIREWALLD = """
table inet firewalld {
    chain filter_INPUT {
        type filter hook input priority 10
        ct state established,related accept
        iifname lo accept
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD {
        type filter hook forward priority 10
        ct state established,related accept
        reject with icmpx admin-prohibited
    }
}
"""
LOST = "table inet lost { chain in { type filter hook input priority 0; tcp dport 10250 drop; }; }"
TRUST = TrustSource("trusted", PODS, False, False, None, None)


@dataclass(frozen=True)
class Commands:
    """A repair that somebody might think of."""

    kind: ClassVar[str] = "commands"
    argvs: tuple[tuple[str, ...], ...]

    def describe(self) -> str:
        return " ".join(self.argvs[0])

    def diff(self) -> str:
        return ""

    def check(self, host: Host) -> None: ...

    def apply(self, host: Host) -> None:
        raise AssertionError("a rehearsal applies nothing")

    def undo(self, host: Host) -> None: ...

    def rehearse(self, host: Host) -> None:
        for argv in self.argvs:
            host.run(argv)


@pytest.fixture(scope="module")
def closed() -> Iterator[Facts]:
    """What is known of a node whose firewalld rejects its pods."""
    with small_node() as node:
        node.namespaces["node"].run(lambda: Host().run(["nft", "-f", "-"], stdin=FIREWALLD))
        yield facts_of(node)


@pytest.fixture(scope="module")
def healthy() -> Iterator[Facts]:
    with small_node() as node:
        yield facts_of(node)


def facts_of(node: Node, reply: Reply | None = None) -> Facts:
    reply = reply or node.ask(FLOWS["outside"])
    failed = FailedFlow("client -> 8.8.8.8", OUTSIDE, CLIENT, "", ADDRESS[CLIENT], RESOLVER, "udp", 53, reply)
    return Facts(
        {
            NodeNetwork: NodeNetwork(node.state()), ClusterAddresses: CLUSTER,
            FailedFlows: FailedFlows(() if reply.arrived else (failed,), True), Connections: Connections(()),
        }
    )  # fmt: skip


def opened(rehearsal: Rehearsal) -> set[tuple[Access, str, int]]:
    return {(way.kind, way.flow.destination, way.flow.port) for way in rehearsal.opened}


def test_a_way_that_is_lost_in_one_copy_alone_is_not_called_cut_off(
    healthy: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that loses packets, as none should, makes a repair look as if it closed a port."""
    copies = list[Twin]()

    def losing_packets(state: State, *_: object) -> Twin:
        copies.append(build(state))
        if len(copies) - 1 in damaged:
            copies[-1].run(lambda: Host().run(["nft", "-f", "-"], stdin=LOST))
        return copies[-1]

    change = Commands((("true",),))
    for module in (rehearsal_module, exposure):
        monkeypatch.setattr(module, "build", losing_packets)
    damaged = {1}
    assert rehearse(healthy, [change], FROM_PODS).closed == ()
    assert len(copies) == 3
    copies.clear()
    damaged = {1, 2}
    assert {way.flow.port for way in rehearse(healthy, [change], FROM_PODS).closed} == {10250}


def test_what_opens_is_told(closed: Facts) -> None:
    rehearsal = rehearse(closed, [TRUST], FROM_PODS)
    assert [(tried.flow, tried.passes) for tried in rehearsal.flows] == [("client -> 8.8.8.8", True)]
    assert rehearsal.flows[0].before.startswith("prohibited (ICMP 3/13")
    assert opened(rehearsal) == {
        (Access.POD_TO_NODE, NODE_ADDRESS, 10250), (Access.POD_TO_POD, ADDRESS[SERVER], 5432),
        (Access.POD_TO_OUTSIDE, RESOLVER, 53), (Access.POD_TO_SERVICE, "10.96.0.20", 5432),
    }  # fmt: skip
    assert (rehearsal.closed, rehearsal.needless, rehearsal.not_shown, rehearsal.refusal) == ((), (), (), "")
    insist(rehearsal, allow_exposure=False)
    text = "\n".join(lines(rehearsal, "", verbose=True))
    assert "✓ 1 of 1 failing connections work" in text
    assert f"pod to node: {NODE_ADDRESS}:10250/tcp" in text
    assert "REFUSED" not in text


def test_a_repair_that_cures_nothing_is_refused(closed: Facts) -> None:
    rehearsal = rehearse(closed, [Commands((("nft", "add", "table", "inet", "idle"),))], FROM_PODS)
    assert (rehearsal.closed, rehearsal.opened, rehearsal.not_made) == ((), (), ())
    assert rehearsal.verdict is RehearsalVerdict.REFUSED
    assert rehearsal.refusal == "with it none of the 1 failing flows passes in the copy"
    for allowed in (False, True):
        with pytest.raises(Exposed, match=r"none of the 1 failing flows passes in the copy$"):
            insist(rehearsal, allow_exposure=allowed)
    assert f"  REFUSED  {rehearsal.refusal}" in lines(rehearsal, "")


def test_a_needless_opening_is_refused_unless_allowed(closed: Facts) -> None:
    flush = Commands((("nft", "flush", "chain", "inet", "firewalld", "filter_FORWARD"),))
    rehearsal = rehearse(closed, [flush], FROM_PODS)
    assert {(way.kind, str(way.flow.destination)) for way in rehearsal.needless} == {
        (Access.OUTSIDE_TO_POD, ADDRESS[SERVER])
    }
    with pytest.raises(
        Exposed, match=f"it would open outside to pod: outside -> {ADDRESS[SERVER]}:5432/tcp; use --allow"
    ):
        insist(rehearsal, allow_exposure=False)
    insist(rehearsal, allow_exposure=True)
    text = "\n".join(lines(rehearsal, ""))
    assert f"outside to pod: {ADDRESS[SERVER]}:5432/tcp (not what the repair is for)" in text
    assert "  REFUSED  it would open outside to pod" in text
    stored = as_json(rehearsal, "")
    assert stored
    assert [row["access"] for row in stored["needless"]] == ["outside to pod"]


def test_a_closing_is_refused_whatever_is_allowed(healthy: Facts) -> None:
    rehearsal = rehearse(healthy, [Commands((("iptables-nft", "-t", "nat", "-F", "KUBE-SERVICES"),))], FROM_PODS)
    assert rehearsal.flows == ()
    assert [way.kind for way in rehearsal.closed] == [Access.POD_TO_SERVICE]
    for allowed in (False, True):
        with pytest.raises(Exposed, match="it would cut off pod to Service") as refused:
            insist(rehearsal, allow_exposure=allowed)
        assert "--allow-exposure" not in str(refused.value)
    assert f"  ✗ 1 of {rehearsal.tried} ways tried stop working" in lines(rehearsal, "")


def test_what_no_copy_shows_to_fail_is_not_counted_as_cured() -> None:
    with small_node() as node:
        idle = Commands((("nft", "add", "table", "inet", "idle"),))
        rehearsal = rehearse(facts_of(node, Reply(Answer.TIMEOUT, 1500)), [idle], FROM_PODS)
    assert (
        rehearsal.verdict is RehearsalVerdict.SAFE
    )  # the trouble is not in the network: whether it is cured, no copy shows
    text = "\n".join(lines(rehearsal, ""))
    assert "failing connections work" not in text
    assert (
        "  ? 1 connection fails on the node but not in the copy, so it may work again by now: client -> 8.8.8.8" in text
    )


def test_an_answer_that_is_late_closes_nothing(healthy: Facts) -> None:
    """The first question to the Service is lost, as if the processor had been taken; a second one is answered."""
    lost_once = Commands((
        ("nft", "add", "table", "inet", "late"),
        ("nft", "add", "chain", "inet", "late", "f", "{ type filter hook prerouting priority -300; }"),
        ("nft", "add", "rule", "inet", "late", "f", "ip daddr 10.96.0.20 numgen inc mod 1000 == 0 drop"),
    ))  # fmt: skip
    rehearsal = rehearse(healthy, [lost_once], FROM_PODS)
    assert rehearsal.not_shown == ()
    assert (rehearsal.opened, rehearsal.closed) == ((), ())


@pytest.mark.parametrize("uplink", [(), UPLINK_IS_BRIDGE], ids=["an interface", "a bridge"])
def test_a_masquerade_that_is_made_again_is_seen_to_cure(uplink: tuple[str, ...]) -> None:
    with small_node() as node:
        node.sh(*uplink, "iptables-nft -t nat -F POSTROUTING")
        masquerade = Commands((("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-s", PODS, "-j", "MASQUERADE"),))
        facts = facts_of(node)
        rehearsal = rehearse(facts, [masquerade], FROM_PODS)
        tried = {way.kind for way in ways(node.state(), CLUSTER)}
    assert "\n  ✓ 1 of 1 failing connections work" in "\n".join(lines(rehearsal, ""))
    assert (rehearsal.closed, rehearsal.needless) == ((), ())
    assert {Access.OUTSIDE_TO_NODE, Access.OUTSIDE_TO_POD, Access.POD_TO_NODE} <= tried


BEYOND: dict[str, tuple[Callable[[], Change], str]] = {
    "systemctl": (lambda: Commands((("systemctl", "stop", "firewalld"),)), "systemctl reaches beyond"),
    "kubectl": (lambda: Commands((("/usr/bin/kubectl", "delete", "pod", "x"),)), "kubectl reaches beyond"),
    "D-Bus": (lambda: Commands((("firewall-cmd", "--reload"),)), "firewall-cmd reaches beyond"),
    "a shell": (lambda: Commands((("sh", "-c", "nft flush ruleset"),)), "sh reaches beyond"),
    "sysctl": (lambda: Commands((("sysctl", "-w", "kernel.panic=1"),)), "sysctl reaches beyond"),
    "another namespace": (lambda: Commands((("ip", "netns", "exec", "x", "true"),)), "ip reaches beyond"),
    "a zone of firewalld's": (lambda: TrustSource("dmz", PODS, False, False, None, None), "is known only to firewalld"),
    "the API server": (lambda: ResyncKubeProxy("kube-system/kube-proxy-x", "iptables", (), False), "is not known"),
    "a module": (lambda: LoadModule("nf_nothing_like_it"), "a copy cannot load it"),
    "net.core.rmem_max": (lambda: SetSysctl("net.core.rmem_max", "4711", None), "rmem_max"),
    "net.netfilter.nf_conntrack_max": (
        lambda: SetSysctl("net.netfilter.nf_conntrack_max", "4711", None), "nf_conntrack_max",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BEYOND))
def test_what_reaches_beyond_is_not_made(name: str, closed: Facts) -> None:
    make, says = BEYOND[name]
    change = make()
    namespace = Namespace.new()
    try:
        with pytest.raises(NotRehearsable, match=says):
            namespace.run(lambda: change.rehearse(HostOfCopy()))
    finally:
        namespace.close()
    rehearsal = rehearse(closed, [change], FROM_PODS)
    assert (rehearsal.opened, rehearsal.closed, rehearsal.verdict) == ((), (), RehearsalVerdict.NOT_REHEARSED)
    assert len(rehearsal.not_shown) == 1
    assert rehearsal.not_shown[0].startswith(f"{change.describe()}: ")
    assert rehearsal.refusal == f"it is not rehearsed: {rehearsal.not_shown[0]}"
    assert f"  ? the copy does not show: {rehearsal.not_shown[0]}" in lines(rehearsal, "")
    with pytest.raises(NotRehearsable, match="refused: "):
        insist(rehearsal, allow_exposure=True)


def test_a_remedy_that_drops_ssh_is_refused(healthy: Facts) -> None:
    """Of all that listens on the node the kubelet's port stands for sshd's."""
    table = ("nft", "add", "table", "inet", "lockdown")
    chain = ("nft", "add", "chain", "inet", "lockdown", "in", "{ type filter hook input priority 0; }")
    rule = ("nft", "add", "rule", "inet", "lockdown", "in", "iifname", "eth0", "tcp", "dport", "10250", "drop")
    rehearsal = rehearse(healthy, [Commands((table, chain, rule))], FROM_PODS)
    assert {way.kind for way in rehearsal.closed} == {Access.OUTSIDE_TO_NODE}
    assert {way.who for way in rehearsal.closed} == {"", "another network"}
    with pytest.raises(Exposed, match=f"cut off outside to node: outside -> {NODE_ADDRESS}:10250/tcp"):
        insist(rehearsal, allow_exposure=True)


def test_a_port_that_no_pod_needs_is_a_door_unless_the_cni_had_given_it() -> None:
    """etcd listens beside the kubelet; what the CNI's plugin firewall gives each pod is no new door."""
    with small_node() as node:
        node.namespaces["node"].run(lambda: node.responder.listen(Listener("tcp", "0.0.0.0", 2379)))
        node.namespaces["node"].run(lambda: Host().run(["nft", "-f", "-"], stdin=FIREWALLD))
        facts = facts_of(node)
    rehearsal = rehearse(facts, [TRUST], FROM_PODS)
    assert [(way.kind, way.flow.port) for way in rehearsal.needless] == [(Access.POD_TO_OTHER_PORT, 2379)]
    with pytest.raises(
        Exposed, match=f"pod to another port of the node: {CLIENT} -> {NODE_ADDRESS}:2379/tcp; use --allow"
    ):
        insist(rehearsal, allow_exposure=False)
    insist(rehearsal, allow_exposure=True)
    given = replace(TRUST, given_back=True)
    assert "opens nothing new: the CNI's plugin firewall puts each pod into zone trusted" in given.diff()
    insist(rehearse(facts, [given], FROM_PODS), allow_exposure=False)


def test_a_module_for_bridged_packets_touches_pods_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a kernel without br_netfilter no copy shows anything; where other ports are at a bridge, nobody can say."""
    monkeypatch.setattr(LoadModule, "_folder", Path("/sys/module/nothing-like-it"))
    changes: list[Change] = [LoadModule("br_netfilter"), SetSysctl("net.bridge.bridge-nf-call-iptables", "1", None)]

    def without_module(node: Node) -> Facts:
        state = node.state()
        sysctls = {key: value for key, value in state.node.sysctls.items() if not key.startswith("bridge/")}
        network = NodeNetwork(replace(state, node=replace(state.node, sysctls=sysctls)))
        nobody = {FailedFlows: FailedFlows((), True), Connections: Connections(())}
        return Facts({**nobody, ClusterAddresses: CLUSTER, NodeNetwork: network})

    with small_node() as node:
        pods_alone = rehearse(without_module(node), changes, FROM_PODS)
        node.sh("ip link add tap0 type veth peer name tap1", "ip link set tap0 master br0 up")
        with_a_machine = rehearse(without_module(node), changes, FROM_PODS)
    assert (pods_alone.verdict, pods_alone.not_made) == (RehearsalVerdict.SAFE, ())
    said = "\n".join(lines(pods_alone, "", verbose=True))
    assert "  – changes nothing for any packet: load the kernel module br_netfilter, now: " in said
    assert "  – not rehearsed: 2 changes that touch no packet on this node (-v says why)" in lines(pods_alone, "")
    assert len(pods_alone.untouched) == 2
    assert with_a_machine.verdict is RehearsalVerdict.NOT_REHEARSED


@pytest.mark.parametrize("machine", [True, False], ids=["a virtual machine", "nothing"])
def test_bridged_packets_of_others_are_not_rehearsed(machine: bool) -> None:
    """A machine is at the uplink's bridge, and FORWARD lets nobody through but pods: it would be cut off."""
    tap = ("ip link add tap0 type veth peer name tap1", "ip link set tap0 master br-up up", "ip link set tap1 up")
    with small_node() as node:
        node.sh(
            *UPLINK_IS_BRIDGE, *(tap if machine else ()), "sysctl -qw net.bridge.bridge-nf-call-iptables=0",
            "iptables-nft -P FORWARD DROP", "iptables-nft -A FORWARD -s 10.244.0.0/24 -j ACCEPT",
            "iptables-nft -A FORWARD -d 10.244.0.0/24 -j ACCEPT",
        )  # fmt: skip
        change = SetSysctl("net.bridge.bridge-nf-call-iptables", "1", "0")
        rehearsal = rehearse(facts_of(node), [change], FROM_PODS)
    assert rehearsal.verdict is (RehearsalVerdict.NOT_REHEARSED if machine else RehearsalVerdict.SAFE)
    assert ("traffic across br-up starts to pass iptables" in rehearsal.refusal) is machine


def test_a_sysctl_of_the_kernel_is_no_change_at_all() -> None:
    with pytest.raises(BadInput, match=r"kernel\.panic is not a net\.\* sysctl"):
        SetSysctl("kernel.panic", "1", None)


def test_nobody_knocks_at_the_system_bus(closed: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(tmp_path / "bus"))
        bus.listen()
        bus.setblocking(False)
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
        rehearse(closed, [TRUST], FROM_PODS)
        with pytest.raises(BlockingIOError):
            bus.accept()


def test_without_a_second_firewalld_rules_stand_for_it(
    closed: Facts, healthy: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = rehearse(healthy, [TRUST], FROM_PODS, with_daemon=True)
    assert without.not_shown[0].endswith("a second firewalld: firewalld keeps no table inet firewalld on this node")
    monkeypatch.setattr(second_firewalld, "PROGRAMS", ("dbus-daemon-that-is-not-there", "firewalld"))
    rehearsal = rehearse(closed, [TRUST], FROM_PODS, with_daemon=True)
    assert rehearsal.not_shown == (
        "what firewalld itself does; rules stand in for it: a second firewalld: dbus-daemon-that-is-not-there is not "
        "installed",
    )
    assert opened(rehearsal) == opened(rehearse(closed, [TRUST], FROM_PODS))
