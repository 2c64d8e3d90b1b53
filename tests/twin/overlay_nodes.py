"""Nodes joined as flannel joins them, what can be wrong at one of them, and questions that cross the overlay."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

import pytest

from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.system.traffic import Answer
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.capture import capture
from netdoctor.twin.state import State
from netdoctor.twin.twin import NODE, Flow
from tests.twin.real_namespaces import RealNamespaces


def lacking() -> str:
    """What is missing for these tests, "" where nothing is."""
    if os.geteuid() != 0:
        return "root"
    if tools := [tool for tool in ("ip", "bridge", "iptables", "nft", "unshare") if not shutil.which(tool)]:
        return " and ".join(tools)
    probe = [
        "unshare",
        "-n",
        "ip",
        "link",
        "add",
        "x",
        "type",
        "vxlan",
        "id",
        "1",
        "dstport",
        "8472",
        "local",
        "192.0.2.1",
    ]
    done = subprocess.run(probe, check=False, capture_output=True, timeout=10)
    return "VXLAN in the kernel" if done.returncode else ""


needs_vxlan = pytest.mark.skipif(bool(lacking()), reason=f"it needs {lacking()}")

POD = "default/client"
POD_IP, CLUSTER_CIDR = "10.245.0.10", "10.245.0.0/16"
SECONDS = 0.25  # for an answer of the real namespaces


@dataclass(frozen=True)
class Node:
    """A node of the overlay: its address, and the number of its pods' network."""

    address: str
    number: int

    @property
    def network(self) -> str:
        """Of its pods."""
        return f"10.245.{self.number}.0/24"

    @property
    def vtep(self) -> str:
        """The address of its VXLAN interface."""
        return f"10.245.{self.number}.0"

    @property
    def mac(self) -> str:
        """Of its VXLAN interface."""
        return f"0a:00:00:00:00:0{self.number + 1}"

    @property
    def pod(self) -> str:
        """A pod's address on it."""
        return f"10.245.{self.number}.10"


HERE, OTHER, THIRD = Node("10.77.0.2", 0), Node("10.77.0.3", 1), Node("10.77.0.4", 2)


def joined(own: Node, *others: Node, device: str = "eth0") -> list[str]:
    """The commands by which flannel joins a node to others."""
    lines = [
        f"ip link add flannel.1 address {own.mac} mtu 1450 type vxlan id 1 dstport 8472 local {own.address} "
        f"dev {device} nolearning",
        f"ip address add {own.vtep}/32 dev flannel.1; ip link set flannel.1 up",
    ]
    for other in others:
        lines += [
            f"ip neigh replace {other.vtep} lladdr {other.mac} dev flannel.1 nud permanent",
            f"bridge fdb append {other.mac} dev flannel.1 dst {other.address}",
            f"ip route replace {other.network} via {other.vtep} dev flannel.1 onlink",
        ]
    return lines


CLUSTER = ClusterAddresses(
    (), (HERE.address, OTHER.address, THIRD.address), (CLUSTER_CIDR,),
    hosts=((OTHER.pod, OTHER.address), (THIRD.pod, THIRD.address)),
)  # fmt: skip
ENTRY = f"{OTHER.mac} dev flannel.1"
FAULTS = {
    "healthy": ("true", Answer.OK),
    "8472 dropped on its way out": ("iptables -I OUTPUT -p udp --dport 8472 -j DROP", Answer.TIMEOUT),
    "8472 dropped on its way in": ("iptables -I INPUT -p udp --dport 8472 -j DROP", Answer.TIMEOUT),
    "entry with another node's address": (f"bridge fdb replace {ENTRY} dst {THIRD.address}", Answer.TIMEOUT),
    "entry with nobody's address": (f"bridge fdb replace {ENTRY} dst 10.77.0.99", Answer.TIMEOUT),
    "entry missing": (f"bridge fdb del {ENTRY}", Answer.TIMEOUT),
    "VTEP's MAC wrong": (f"ip neigh replace {OTHER.vtep} lladdr 0a:00:00:00:00:77 dev flannel.1 nud permanent",
                         Answer.TIMEOUT),
    "route missing": (f"ip route del {OTHER.network}", None),
    "route refuses": (f"ip route del {OTHER.network}; ip route add unreachable {OTHER.network}",
                      Answer.HOST_UNREACHABLE),
    "interface down": ("ip link set flannel.1 down", None),
    "uplink with a small MTU": ("ip link set eth0 mtu 100", None),
    "interface with a small MTU": ("ip link set flannel.1 mtu 70", None),
    "no forwarding": ("sysctl -qw net.ipv4.ip_forward=0", Answer.TIMEOUT),
}  # fmt: skip


@dataclass(frozen=True)
class Net(RealNamespaces):
    """The namespaces, by name."""

    seconds = SECONDS

    def state(self) -> State:
        """The state of the node."""
        return capture({POD: (self.namespaces[POD].path, POD_IP)}, node=self.namespaces[NODE].path)


def flows(state: State, cluster: ClusterAddresses = CLUSTER) -> list[Flow]:
    """Questions that cross the overlay, and one that does not."""
    asked = (
        (POD, OTHER.pod, "udp", 53), (POD, OTHER.pod, "tcp", 80), (POD, THIRD.pod, "tcp", 80),
        (NODE, OTHER.pod, "udp", 53), (NODE, OTHER.address, "tcp", 9),
    )  # fmt: skip
    return [flow_of(*each, state, cluster) for each in asked]
