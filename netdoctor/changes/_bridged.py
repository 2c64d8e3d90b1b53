"""br_netfilter, which a kernel without it cannot show in a copy: bridged packets begin to meet iptables."""

from __future__ import annotations

from netdoctor.twin.state import State
from netdoctor.twin.uplinks import BRIDGE, pod_ports

MODULE = "br_netfilter"
SETTINGS = "net.bridge."


def pods_alone(state: State) -> str:
    """Why bridged packets are those between pods, in one sentence; "" where a bridge has other ports, or ports of a pod
    that was not captured."""
    pods, links = pod_ports(state), state.node.interfaces()
    bridges = {link.index for link in links if link.kind == BRIDGE}
    if any(link.master in bridges and link.index not in pods for link in links):
        return ""
    return f"{MODULE} acts on what crosses a bridge, and only pods are at this node's; the probes ask those afterwards"
