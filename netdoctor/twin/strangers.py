"""Who asks a node from outside: an address in the network of its uplink, or far away."""

from __future__ import annotations

import ipaddress

from netdoctor.twin.state import State
from netdoctor.twin.uplinks import uplinks
from netdoctor.twin.wire.rtnl import Address

MOST_UPLINKS = 4
FAR = ("198.51.100.77", "2001:db8::77")  # where an uplink's network has no room for a neighbour
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def uplink_addresses(state: State) -> list[Interface]:
    """The node's first address of each family on each link that leads out, those of default routes first."""
    found: dict[tuple[int, int], Interface] = {}
    own = [(index, each) for index, each in state.node.own_addresses() if not each.ip.is_link_local]
    for link in uplinks(state)[:MOST_UPLINKS]:
        for index, address in own:
            if index == link.index:
                found.setdefault((index, address.version), address)
    return list(found.values())


def uplink_address(state: State) -> Address | None:
    """The node's first address on a link that leads out."""
    return next((address.ip for address in uplink_addresses(state)), None)


def stranger(state: State) -> Address | None:
    """An address outside from which the node is asked: in the uplink's own network if there is room."""
    own = next(iter(uplink_addresses(state)), None)
    if own is None:
        return None
    return neighbour(own, state) or ipaddress.ip_address(FAR[own.version == 6])


def neighbour(of: Interface, state: State) -> Address | None:
    """An address in the same network that is not the node's own; None where it has no room for one."""
    network = of.network
    taken = {address.ip for _, address in state.node.own_addresses()}
    if network.num_addresses <= 8:
        return None
    taken |= {network.network_address, network.broadcast_address}
    for offset in range(network.num_addresses - 2, max(0, network.num_addresses - 64), -1):
        address = network[offset]
        if address not in taken:
            return address
    return None
