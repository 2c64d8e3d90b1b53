"""br_netfilter, which a kernel without it cannot show in a copy: bridged packets begin to meet iptables."""

from __future__ import annotations

from collections.abc import Container

from netdoctor.twin.state import Link, State
from netdoctor.twin.uplinks import BRIDGE, LOCAL_KINDS, pod_ports

MODULE = "br_netfilter"
SETTINGS = "net.bridge."


def pods_alone(state: State) -> str:
    """Why bridged packets are those between pods, in one sentence; "" where a bridge has other ports, or ports of a pod
    that was not captured."""
    pods, links = pod_ports(state), state.node.interfaces()
    bridges = {link.index for link in links if link.kind == BRIDGE}
    if any(link.master in bridges and link.index not in pods for link in links):
        return ""
    return f"{MODULE} acts on bridged traffic, and this node bridges only pods; the probes test those afterwards"


def others_ports(state: State) -> str:
    """Which ports of bridges lead to what no copy asks, a virtual machine or a container; "" where none does."""
    pods, links = pod_ports(state), state.node.interfaces()
    for bridge in (link for link in links if link.kind == BRIDGE):
        ports = [link for link in links if link.master == bridge.index]
        if hidden := _hidden(ports, pods):
            names = ", ".join(link.name for link in hidden)
            return f"traffic across {bridge.name} starts to pass iptables, and no copy tests what is behind {names}"
    return ""


def _hidden(ports: list[Link], pods: Container[int]) -> list[Link]:
    """The ports of a bridge that are not pods' and may have something behind them that talks across it."""
    others = [link for link in ports if link.index not in pods]
    local = [link for link in others if link.kind in LOCAL_KINDS]
    if len(others) > 1 or (local and len(ports) > 1):
        return local or others
    return []
