"""VXLAN between two real nodes: a pod asks one on the other node, beside the copy of its own node, with faults in turn.

The state that is copied is that of the first node alone; the pods are namespaces with a network of the overlay's own.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from netdoctor.twin.listening import Responder
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.state import Listener
from netdoctor.twin.twin import NODE, Flow, alike
from tests.conftest import LAB, Lab
from tests.lab.nodelab import network
from tests.lab.nodelab.cluster import Lab as Nodes
from tests.twin.overlay_nodes import CLUSTER, FAULTS, HERE, OTHER, POD, POD_IP, Net, flows, joined, needs_vxlan

pytestmark = [pytest.mark.lab, needs_vxlan]

WORKER, FAR_POD, GATEWAY = "worker1", "default/far", "10.77.0.1"
SECONDS = 0.6
HERE_ONLY = replace(CLUSTER, nodes=(HERE.address, OTHER.address), hosts=CLUSTER.hosts[:1])
CASES = {
    **{name: FAULTS[name][0] for name in FAULTS if name != "uplink with a small MTU"},
    "entry with the gateway's address": f"bridge fdb replace {OTHER.mac} dev flannel.1 dst {GATEWAY}",
    "8472 dropped by nft": "nft 'add table ip mine; add chain ip mine out { type filter hook output priority 0; };"
    " add rule ip mine out udp dport 8472 drop'",
    "8472 rejected": "iptables -I OUTPUT -p udp --dport 8472 -j REJECT",
}
FAILING = (*CASES.keys() - {"healthy", "interface with a small MTU"},)
MEND = (
    "iptables -D OUTPUT -p udp --dport 8472 -j DROP || true; iptables -D INPUT -p udp --dport 8472 -j DROP || true",
    "iptables -D OUTPUT -p udp --dport 8472 -j REJECT || true; nft delete table ip mine || true",
    f"sysctl -qw net.ipv4.ip_forward=1; ip route del unreachable {OTHER.network} || true; ip link del flannel.1",
    *joined(HERE, OTHER),
)


@pytest.fixture(scope="module")
def net(lab: Lab) -> Iterator[Net]:
    """The lab's two nodes, joined by an overlay of their own, with a pod on each."""
    name = f"{lab.name}-vx"[:12]
    done = subprocess.run([str(LAB), "reset", "--name", name, "--workers", "1"], check=False, capture_output=True,
                          text=True, timeout=400)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = Nodes(name)
    namespaces = {POD: Namespace.new(), FAR_POD: Namespace.new()}
    for where, folder in ((NODE, found.node.name), (WORKER, WORKER)):
        path = f"/proc/{network.holder(found.run / folder)}/ns/net"
        namespaces[where] = Namespace(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    made, answers = Net(namespaces), Responder()
    try:
        for where, pod, node, other, address in (
            (NODE, POD, HERE, OTHER, POD_IP), (WORKER, FAR_POD, OTHER, HERE, OTHER.pod),
        ):  # fmt: skip
            gateway = f"10.245.{node.number}.1"
            made.run(
                where,
                f"ip link add obr type bridge; ip link set obr up; ip address add {gateway}/24 dev obr",
                f"ip link add o0 type veth peer name eth0 netns {made.path(pod)}; ip link set o0 master obr up",
                *joined(node, other),
            )
            made.run(
                pod,
                f"ip link set lo up; ip link set eth0 up; ip address add {address}/24 dev eth0",
                f"ip route add default via {gateway}",
            )
        listeners = [Listener(protocol, OTHER.pod, port) for protocol, port in (("udp", 53), ("tcp", 80))]
        made.namespaces[FAR_POD].run(lambda: answers.listen_all(listeners))
        yield made
    finally:
        answers.close()
        for namespace in namespaces.values():
            namespace.close()
        subprocess.run([str(LAB), "down", "--name", name], check=False, capture_output=True, timeout=60)


@pytest.mark.parametrize("name", CASES)
def test_every_flow_ends_as_on_the_node(net: Net, name: str) -> None:
    asked, until = _asked(net), time.monotonic() + 10
    while not all(reply.arrived for reply in net.ask_all(asked)):
        assert time.monotonic() < until
    try:
        net.run(NODE, CASES[name])
        there, state = net.ask_all(asked), net.state()
    finally:
        net.run(NODE, *MEND)
    twin = build(state)
    try:
        here = twin.ask_all(asked, SECONDS)
    finally:
        twin.close()
    rows = [f"{name:34} {f!s:46} node: {a}; twin: {b}" for f, a, b in zip(asked, there, here, strict=True)]
    print("", *rows, sep="\n")
    assert not [row for row, a, b in zip(rows, there, here, strict=True) if not alike(a, b)]
    assert name not in FAILING or there[0].answer is not Answer.OK


def _asked(net: Net) -> list[Flow]:
    return [flow for flow in flows(net.state(), HERE_ONLY)[:4] if flow.destination == OTHER.pod]
