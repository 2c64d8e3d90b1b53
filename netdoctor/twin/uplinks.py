"""Which links lead out of the node, and which only to its pods: told by their other ends, routes and ports."""

from __future__ import annotations

from netdoctor.twin import vxlan
from netdoctor.twin.routes import routes
from netdoctor.twin.state import Link, State
from netdoctor.twin.wire.uapi.rtnetlink import RT_TABLE

BRIDGE = "bridge"
LOCAL_KINDS = ("veth", "tun", "dummy")  # as a bridge's port it may lead to a container or a virtual machine


def pod_ports(state: State) -> dict[int, str]:
    """The node's links whose other end is in a pod: index, and the pod's name."""
    ends = {(link.peer, link.index): pod.name for pod in state.pods for link in pod.interfaces() if link.kind == "veth"}
    links = state.node.interfaces()
    return {x.index: ends[x.index, x.peer] for x in links if x.kind == "veth" and (x.index, x.peer) in ends}


def pod_bridges(state: State) -> frozenset[int]:
    """The indexes of the bridges that have a pod at one of their ports."""
    ports, links = pod_ports(state), state.node.interfaces()
    bridges = {link.index for link in links if link.kind == BRIDGE}
    return frozenset(link.master for link in links if link.index in ports and link.master in bridges)


def uplinks(state: State) -> list[Link]:
    """The links that lead out of the node, those of default routes first: a bridge instead of its ports that do."""
    links = {link.index: link for link in state.node.interfaces()}
    default, of_pods = _default_devices(state), pod_bridges(state)
    found: dict[int, Link] = {}
    for link in _outward(state):
        bridge = _bridge_of(link, links)
        if bridge is None:
            found[link.index] = link
        elif bridge.index in default or (bridge.index not in of_pods and link.kind not in LOCAL_KINDS):
            found[bridge.index] = bridge
    return sorted(found.values(), key=lambda link: (link.index not in default, link.index))


def default_uplinks(state: State) -> frozenset[int]:
    """The indexes of the interfaces of the default routes that the kernel prefers: those with the lowest metric."""
    wide = [route for route in routes(state.node) if not route.destination.prefixlen and not route.refuses]
    main = [route for route in wide if route.table == RT_TABLE.MAIN]
    best = min((route.metric for route in main), default=0)
    return frozenset(index for route in main if route.metric == best for index in route.devices)


def uplink_ports(state: State) -> dict[int, Link]:
    """The ports by which bridges among the uplinks lead out, one of each: the port's index, and its bridge."""
    links = {link.index: link for link in state.node.interfaces()}
    leading = {link.index for link in uplinks(state)}
    found: dict[int, Link] = {}
    for link in sorted(_outward(state), key=lambda x: (not x.carrier, x.kind in LOCAL_KINDS, x.index)):
        bridge = _bridge_of(link, links)
        if bridge and bridge.index in leading and bridge not in found.values():
            found[link.index] = bridge
    return found


def _outward(state: State) -> list[Link]:
    """The links whose other end is neither in a pod nor a copy's own."""
    pods = pod_ports(state)
    found = [link for link in state.node.interfaces() if link.name != "lo" and link.kind != BRIDGE]
    return [link for link in found if link.index not in pods and not vxlan.is_copied(link)]


def _bridge_of(port: Link, links: dict[int, Link]) -> Link | None:
    """The bridge that a link is a port of."""
    master = links.get(port.master)
    return master if master and master.kind == BRIDGE else None


def _default_devices(state: State) -> set[int]:
    wide = [route for route in routes(state.node) if not route.destination.prefixlen and not route.refuses]
    return {index for route in wide for index in route.devices}
