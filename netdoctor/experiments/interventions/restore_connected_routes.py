"""The networks of the node's own addresses are reached over the interfaces that have these addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import partial

from netdoctor.changes.connected_route import AddConnectedRoute
from netdoctor.errors import BadInput
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, ip_command
from netdoctor.twin.routes import routes
from netdoctor.twin.state import NetworkState
from netdoctor.twin.uplinks import pod_bridges
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import AddressMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.rtnl import Network
from netdoctor.twin.wire.uapi.rtnetlink import IFA_F

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each route that the kernel made for an address and that is gone."""
    node = situation.state.node
    bridges = pod_bridges(situation.state)
    names = {link.index: link.name for link in node.interfaces() if link.up and link.name != "lo"}
    there = {(route.destination, route.device) for route in routes(node)}
    for index, address in _addresses(node):
        network = address.network
        if index in names and (network, index) not in there:
            route = f"{network} dev {names[index]}"
            yield Intervention(
                "restore-connected-routes",
                UNNAMED,
                f"the route `{route}` is gone, which comes with the address there",
                f"the route `{route}` is there again",
                partial(_add, network, index),
                by_hand=ip_command(network.version, "route add {} dev {}", network, names[index]),
                changes=_changes(names[index], index, address) if index in bridges else (),
            )


def _addresses(node: NetworkState) -> Iterator[tuple[int, Interface]]:
    """Interface index and address, of each address that the kernel makes a route for."""
    for body in node.addresses:
        own = AddressMessage(body)
        if len(own.address) not in (4, 16) or own.prefix_length >= len(own.address) * 8:
            continue
        address = ipaddress.ip_interface((own.address, own.prefix_length))
        if not own.flags & IFA_F.NOPREFIXROUTE and not address.network.is_link_local:
            yield own.index, address


def _changes(name: str, index: int, address: Interface) -> tuple[AddConnectedRoute, ...]:
    """The same on the node; none for IPv6, and for names that netdoctor gives no route."""
    try:
        return (AddConnectedRoute(name, index, str(address)),)
    except BadInput:
        return ()


def _add(network: Network, index: int) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.route(network, index)])
