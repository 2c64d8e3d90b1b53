"""What pods need of the node itself."""

from __future__ import annotations

from netdoctor.twin.addresses import Addresses
from netdoctor.twin.state import State

# what pods need of the node besides the API server and the ends of Services; and kube-proxy's health, no secret
KUBELET, DNS, HEALTH = 10250, 53, 10256


def needed_by_pods(state: State, cluster: Addresses) -> set[tuple[str, int]]:
    """Protocol and port of what pods need at the node: kubelet, DNS, NodePorts, ends of Services (the API's too)."""
    own = {str(address.ip) for _, address in state.node.own_addresses()}
    ends = {end[1:3] for _, several in cluster.services for end in several if end[0] in own}
    ports = {(protocol, port) for port, protocol in cluster.node_ports}
    return ends | ports | {("tcp", KUBELET), ("tcp", DNS), ("udp", DNS), ("tcp", HEALTH)}
