"""Whom a flow may meet beyond the node: nobody, endpoints on other nodes, or its far end."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.system.foreign_text import to_address, to_network
from netdoctor.twin.addresses import Addresses
from netdoctor.twin.state import Listener, State
from netdoctor.twin.twin import Flow
from netdoctor.twin.uplinks import BRIDGE, uplinks
from netdoctor.twin.wire.rtnl import Network


def flow_of(source: str, destination: str, protocol: str, port: int, state: State, cluster: Addresses) -> Flow:
    """The flow with the part of the outside that it needs. Raises CannotRead where the twin lacks one of its ends."""
    if source not in state.by_name:
        raise CannotRead("twin", f"{source} was not captured")
    here = _addresses_here(state)
    services = dict(cluster.services)
    networks = [to_network(cidr) for cidr in cluster.pod_cidrs]
    if destination in services:
        beyond = _remote_endpoints(destination, services, here, state)
        return Flow(source, destination, protocol, port, beyond, in_cluster=True, hosts=_hosts(beyond, cluster))
    nobody_beyond = Flow(source, destination, protocol, port)
    if destination in here or to_address(destination).is_loopback:
        return nobody_beyond
    is_pod = _is_in(networks, destination)
    if is_pod and _ours(destination, state):
        # nobody's address: a pod that is gone, or one that was not captured
        if state.left_out:
            raise CannotRead("twin", f"{destination} may be a pod of this node that was not captured")
        return nobody_beyond
    if not is_pod and _beside(destination, services):  # a ClusterIP that no Service has
        return nobody_beyond
    in_cluster = is_pod or destination in cluster.nodes
    far = (Listener(protocol, destination, port),)
    return Flow(source, destination, protocol, port, far, in_cluster=in_cluster, hosts=_hosts(far, cluster))


def _addresses_here(state: State) -> set[str]:
    """The addresses of the node and of its pods."""
    return {str(address.ip) for _, address in state.node.own_addresses()} | state.pod_addresses


def _is_in(networks: Iterable[Network], address: str) -> bool:
    """Whether one of these networks has the address."""
    return any(to_address(address) in network for network in networks)


def _remote_endpoints(destination: str, services: dict[str, Any], here: set[str], state: State) -> tuple[Listener, ...]:
    """The endpoints of a Service that are not on this node. Raises CannotRead where one is and was not captured."""
    remote = [endpoint for endpoint in services[destination] if endpoint[0] not in here]
    if any(_ours(address, state) for address, _, _, _ in remote):
        raise CannotRead("twin", f"an endpoint of {destination} is a pod of this node that was not captured")
    return tuple(Listener(protocol, address, port) for address, protocol, port, _ in remote)


def _beside(destination: str, services: dict[str, Any]) -> bool:
    """Whether a private address is in the same /16 (IPv6: /112) as some ClusterIP."""
    address = to_address(destination)
    if not address.is_private or address.is_link_local:
        return False
    near = ipaddress.ip_network((address, 16 if address.version == 4 else 112), strict=False)
    return any(to_address(ip) in near for ip in services if ip not in ("", "None"))


def _hosts(beyond: tuple[Listener, ...], cluster: Addresses) -> tuple[tuple[str, str], ...]:
    """The node of each pod among these, as far as it is known."""
    wanted = {listener.address for listener in beyond}
    return tuple(pair for pair in cluster.hosts if pair[0] in wanted)


def _ours(address: str, state: State) -> bool:
    """Whether an address lies in a network that the node has on a bridge of its own, which does not lead out."""
    outward = {link.index for link in uplinks(state)}
    bridges = {link.index for link in state.node.interfaces() if link.kind == BRIDGE and link.index not in outward}
    target = to_address(address)
    return any(index in bridges and target in own.network for index, own in state.node.own_addresses())
