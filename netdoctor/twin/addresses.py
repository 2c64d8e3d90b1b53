"""Which addresses stand for something beyond the node: Services, nodes and pods of the cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Addresses:
    """The cluster's addresses, as far as a copy's outside has to answer for them."""

    # ClusterIP, and what its ready endpoints are: address, protocol, port, and the Service's port that leads there
    services: tuple[tuple[str, tuple[tuple[str, str, int, int], ...]], ...]
    nodes: tuple[str, ...]
    pod_cidrs: tuple[str, ...]
    node_ports: tuple[tuple[int, str], ...] = ()  # of Services with a ready endpoint: port, protocol
    hosts: tuple[tuple[str, str], ...] = ()  # of each pod with a network of its own: address, and its node's
