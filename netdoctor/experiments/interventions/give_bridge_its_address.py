"""The pods' gateway is an address of their bridge."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from functools import partial

from netdoctor.changes.address import AddAddress
from netdoctor.errors import BadInput
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.shell import command
from netdoctor.twin.routes import routes
from netdoctor.twin.state import State
from netdoctor.twin.uplinks import pod_bridges, pod_ports
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.rtnl import Address, Network


def propose(situation: Situation) -> Iterator[Intervention]:
    """One, where most pods' default route leads to an address that the node does not have."""
    state = situation.state
    bridge = _bridge_of_most_pods(state)
    if bridge is None:
        return
    index, name = bridge
    for gateway in _lost_gateways(state):
        network = _network_of_pods(state, gateway)
        if network:
            yield Intervention(
                "give-bridge-its-address",
                UNNAMED,
                f"bridge {name} has lost {gateway}, which the pods' default routes lead to",
                f"{gateway}/{network.prefixlen} is an address of {name}",
                partial(_add, gateway, network, index),
                by_hand=command("sudo ip address add {} dev {}", f"{gateway}/{network.prefixlen}", name),
                changes=_changes(name, index, gateway, network),
            )


def _bridge_of_most_pods(state: State) -> tuple[int, str] | None:
    """Index and name of the bridge at which most pods are; None where no pod is at any."""
    ends, of_pods = pod_ports(state), pod_bridges(state)
    links = state.node.interfaces()
    bridges = {link.index: link.name for link in links if link.index in of_pods}
    masters = Counter(link.master for link in links if link.index in ends and link.master in bridges)
    if not masters:
        return None
    index, _ = masters.most_common(1)[0]
    return index, bridges[index]


def _lost_gateways(state: State) -> Iterator[Address]:
    """The gateways of most pods' default routes that the node does not have as addresses, two at most."""
    own = {str(address.ip) for _, address in state.node.own_addresses()}
    found: Counter[str] = Counter()
    for pod in state.pods:
        found.update(route.gateway for route in routes(pod) if route.gateway and not route.destination.prefixlen)
    for gateway, _ in found.most_common(2):
        if gateway not in own:
            yield ipaddress.ip_address(gateway)


def _network_of_pods(state: State, gateway: Address) -> Network | None:
    """The first network of a pod that has a gateway in it."""
    for pod in state.pods:
        for _, address in pod.own_addresses():
            if not address.ip.is_loopback and gateway in address.network:
                return address.network
    return None


def _changes(name: str, index: int, gateway: Address, network: Network) -> tuple[AddAddress, ...]:
    """The same on the node; none for IPv6, and for addresses and names that netdoctor gives nobody."""
    try:
        return (AddAddress(name, index, f"{gateway}/{network.prefixlen}"),)
    except BadInput:
        return ()


def _add(gateway: Address, network: Network, bridge: int) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.own(gateway, bridge), rtnl.route(network, bridge)])
