"""VXLAN in the twin: three nodes in namespaces of the test's own, joined as flannel joins them, one of them copied."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator

import pytest

from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from netdoctor.twin.listening import Responder
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.state import Listener
from netdoctor.twin.tracer import walk
from netdoctor.twin.twin import NODE, alike
from netdoctor.twin.walk import REPLY, REQUEST
from tests.twin.overlay_nodes import (
    CLUSTER,
    FAULTS,
    HERE,
    OTHER,
    POD,
    POD_IP,
    SECONDS,
    THIRD,
    Net,
    flows,
    joined,
    needs_vxlan,
)  # fmt: skip

pytestmark = pytest.mark.thorough

TUNSETIFF, IFF_TUN = 0x400454CA, 1


@pytest.fixture
def net() -> Iterator[Net]:
    """Three nodes on one switch, which is their gateway; a pod on the first, pods' addresses on the others."""
    nodes = {NODE: HERE, "other": OTHER, "third": THIRD}
    made = Net({name: Namespace.new() for name in (POD, "switch", *nodes)})
    answers = Responder()
    try:
        made.run("switch", "ip link add gw type bridge; ip link set gw up; ip address add 10.77.0.1/24 dev gw")
        for name, node in nodes.items():
            made.run(
                "switch",
                f"ip link add {name} type veth peer name eth0 netns {made.path(name)}; ip link set {name} master gw up",
            )
            others = [other for other in nodes.values() if other is not node]
            made.run(
                name,
                f"ip link set lo up; ip link set eth0 up; ip address add {node.address}/24 dev eth0",
                "ip route add default via 10.77.0.1; sysctl -qw net.ipv4.ip_forward=1",
                *joined(node, *others),
            )
        made.run(
            NODE,
            "ip link add cbr type bridge; ip link set cbr up; ip address add 10.245.0.1/24 dev cbr",
            f"ip link add v0 type veth peer name eth0 netns {made.path(POD)}; ip link set v0 master cbr up",
        )
        made.run(
            POD,
            f"ip link set lo up; ip link set eth0 up; ip address add {POD_IP}/24 dev eth0",
            "ip route add default via 10.245.0.1",
        )
        for name in ("other", "third"):
            made.run(name, f"ip address add {nodes[name].pod}/32 dev lo")
            listeners = [Listener(protocol, nodes[name].pod, port) for protocol, port in (("udp", 53), ("tcp", 80))]
            made.namespaces[name].run(lambda them=listeners: answers.listen_all(them))  # type: ignore[misc]
        until = time.monotonic() + 5  # links work a moment after they are made
        while not all(reply.arrived for reply in made.ask_all(flows(made.state())[:4])):
            assert time.monotonic() < until
        yield made
    finally:
        answers.close()
        for namespace in made.namespaces.values():
            namespace.close()


@needs_vxlan
@pytest.mark.parametrize("name", FAULTS)
def test_every_flow_ends_as_on_the_node(net: Net, name: str) -> None:
    break_it, answer = FAULTS[name]
    net.run(NODE, break_it)
    asked = flows(state := net.state())[:4]
    there = net.ask_all(asked)
    twin = build(state)
    try:
        here = twin.ask_all(asked, SECONDS)
    finally:
        twin.close()
    rows = [f"{name}: {each}: node {a}, twin {b}" for each, a, b in zip(asked, there, here, strict=True)]
    print(*rows, sep="\n")
    assert not [row for row, a, b in zip(rows, there, here, strict=True) if not alike(a, b)]
    assert answer in (None, there[0].answer)


@needs_vxlan
def test_the_interface_is_the_nodes(net: Net) -> None:
    net.run(NODE, "ip link set eth0 mtu 400; bridge fdb append 0a:00:00:00:00:09 dev flannel.1 dst 10.77.0.9 port 4789")
    look = """ip -d link show flannel.1 | sed 's/promiscuity.*//; s/addrgenmode.*//'
    ip -4 neigh show dev flannel.1 | sort; bridge fdb show dev flannel.1 | grep dst | sort
    ip link show eth0 | grep -o 'mtu [0-9]*'"""

    def text() -> str:
        return subprocess.run(["sh", "-c", look], check=True, capture_output=True, text=True, timeout=10).stdout

    twin = build(net.state())
    try:
        there, here = net.namespaces[NODE].run(text), twin.run(text)
    finally:
        twin.close()
    assert here == there
    assert "vxlan id 1 local 10.77.0.2" in here
    assert "mtu 1450" in here


@needs_vxlan
@pytest.mark.parametrize(
    ("hook", "direction"), [("OUTPUT", REQUEST), ("INPUT", REPLY)], ids=["on its way out", "on its way in"]
)
def test_the_rule_that_drops_what_is_tunnelled_is_named(net: Net, hook: str, direction: str) -> None:
    net.run(NODE, f"iptables -I {hook} -p udp --dport 8472 -j DROP")
    (asked, *_) = flows(state := net.state())
    twin = build(state)
    try:
        stop = walk(twin, asked).stop
    finally:
        twin.close()
    assert stop
    assert (stop.direction, stop.text) == (direction, f"-A {hook} -p udp -m udp --dport 8472 -j DROP")


@needs_vxlan
def test_what_only_the_other_node_knows_passes(net: Net) -> None:
    net.run(NODE, "ip link del flannel.1", *(line.replace("id 1 ", "id 2 ") for line in joined(HERE, OTHER)))
    asked = flows(state := net.state())[:1]
    twin = build(state)
    try:
        assert twin.ask_all(asked, SECONDS)[0].answer is Answer.OK
    finally:
        twin.close()
    assert net.ask_all(asked)[0].answer is Answer.TIMEOUT


@needs_vxlan
def test_where_the_cluster_is_not_known_the_entry_tells_the_node(net: Net) -> None:
    asked = flows(state := net.state(), ClusterAddresses((), CLUSTER.nodes, CLUSTER.pod_cidrs))
    twin = build(state)
    try:
        assert all(reply.arrived for reply in twin.ask_all(asked, SECONDS))
    finally:
        twin.close()


@needs_vxlan
def test_another_overlay_is_a_cable(net: Net) -> None:
    def opened() -> int:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("=16sH22x", b"tun0", IFF_TUN))
        return descriptor

    tunnel = net.namespaces[NODE].run(opened)
    try:
        net.run(
            NODE,
            "ip link del flannel.1; ip link set tun0 up; ip address add 10.245.0.0/32 dev tun0",
            f"ip route add {OTHER.network} dev tun0; ip route add {THIRD.network} via {THIRD.vtep} dev tun0 onlink",
        )
        state = net.state()
    finally:
        os.close(tunnel)
    twin = build(state)
    try:
        assert all(reply.arrived for reply in twin.ask_all(flows(state)[:4], SECONDS))
    finally:
        twin.close()
