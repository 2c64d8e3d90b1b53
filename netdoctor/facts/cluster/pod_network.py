"""The network that pods get their addresses from."""

from __future__ import annotations

from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.workloads import Nodes
from netdoctor.facts.node.cni import CniConfig


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """pod network"""

    cidrs: tuple[str, ...]
    source: str

    @classmethod
    def collect(cls, cni: CniConfig | CannotRead, nodes: Nodes | CannotRead) -> PodNetwork:
        """The prefix that pods get addresses from: the CNI's word, else the nodes'. Raises CannotRead."""
        if not isinstance(cni, CannotRead) and cni.pod_network:
            return cls((cni.pod_network,), cni.path)
        if isinstance(nodes, CannotRead):
            raise nodes
        cidrs = tuple(dict.fromkeys(cidr for node in nodes.items for cidr in node.pod_cidrs))
        if not cidrs:
            raise CannotRead("pod network", "neither the CNI configuration nor any node names a pod CIDR")
        return cls(cidrs, "spec.podCIDRs of the nodes")
