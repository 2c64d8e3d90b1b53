"""Which of the cluster's nodes this machine is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.workloads import Node, Nodes
from netdoctor.model import Evidence
from netdoctor.system.host import Host

# what a kubelet leaves where it has run: of kubeadm and minikube, then of k3s, RKE2, k0s and MicroK8s
KUBELET_TRACES = (
    "/var/lib/kubelet/pki",
    "/var/lib/kubelet/config.yaml",
    "/etc/kubernetes/manifests",
    "/var/lib/rancher/k3s/agent/kubelet.kubeconfig",
    "/var/lib/rancher/rke2/agent/kubelet.kubeconfig",
    "/var/lib/k0s/kubelet",
    "/var/snap/microk8s/current/credentials/kubelet.config",
)
NO_NODE = "no API server to ask ({nodes}), and no kubelet has ever run here"


class NotANode(CannotRead):
    """This machine, whose name is `machine`, is not one of the cluster's nodes."""

    def __init__(self, machine: str) -> None:
        super().__init__("this node", f"no node of the cluster has an address of this machine ({machine})")
        self.machine = machine


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """addresses of this machine"""

    addresses: tuple[str, ...]

    @classmethod
    def collect(cls, host: Host) -> LocalAddresses:
        """Every address that the kernel calls local, from the routing trie."""
        found, last = [], ""
        for line in host.read("/proc/net/fib_trie").splitlines():
            word = line.split()
            if "/32 host LOCAL" in line and last not in found:
                found.append(last)
            elif len(word) == 2 and word[0] in ("|--", "+--"):
                last = word[1]
        return cls(tuple(found))


@dataclass(frozen=True, slots=True)
class ThisNode:
    """this machine's node"""

    name: str
    addresses: tuple[str, ...]
    problem: str  # why the node is not Ready, "" when it is or when the API server could not be asked

    def not_ready(self) -> tuple[Evidence, ...]:
        """What the kubelet says of a node that is not Ready, as evidence; nothing where it is."""
        return (Evidence("condition Ready of the node", self.problem, "True"),) if self.problem else ()

    @classmethod
    def collect(cls, nodes: Nodes | CannotRead, local: LocalAddresses) -> ThisNode:
        """The node that has one of this machine's addresses, else the one of its name. Raises CannotRead."""
        name = os.uname().nodename
        if isinstance(nodes, CannotRead):
            if not any(Path(trace).exists() for trace in KUBELET_TRACES):
                raise CannotRead("this node", NO_NODE.format(nodes=nodes))
            outside = tuple(a for a in local.addresses if not a.startswith("127."))
            return cls(name, outside, "")
        node = next((n for n in nodes.items if set(n.addresses) & set(local.addresses)), None)
        node = node or next((n for n in nodes.items if n.name in (name, name.partition(".")[0])), None)
        if node is None:
            raise NotANode(name)
        return cls(node.name, node.addresses, node.problem)


def node_of(nodes: Nodes, this: ThisNode) -> Node:
    """This machine's node. Raises CannotRead where the list does not hold it."""
    for node in nodes.items:
        if node.name == this.name:
            return node
    raise CannotRead("this node", f"the API server has no node {this.name}")
