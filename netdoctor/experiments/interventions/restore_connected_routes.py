"""The networks of the node's own addresses are reached over the interfaces that have these addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, ip_command
from netdoctor.twin.routes import routes
from netdoctor.twin.state import NetworkState
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import AddressMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.rtnl import Network
from netdoctor.twin.wire.uapi.rtnetlink import IFA_F


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each route that the kernel made for an address and that is gone."""
    node = situation.state.node
    names = {link.index: link.name for link in node.interfaces() if link.up and link.name != "lo"}
    there = {(route.destination, route.device) for route in routes(node)}
    for index, network in _networks(node):
        if index in names and (network, index) not in there:
            route = f"{network} dev {names[index]}"
            yield Intervention(
                "restore-connected-routes",
                UNNAMED,
                f"the route `{route}` is gone, which comes with the address there",
                f"with the route `{route}`",
                partial(_add, network, index),
                by_hand=ip_command(network.version, "route add {} dev {}", network, names[index]),
            )


def _networks(node: NetworkState) -> Iterator[tuple[int, Network]]:
    """Interface index and network of each address that the kernel makes a route for."""
    for body in node.addresses:
        own = AddressMessage(body)
        if len(own.address) not in (4, 16) or own.prefix_length >= len(own.address) * 8:
            continue
        network = ipaddress.ip_interface((own.address, own.prefix_length)).network
        if not own.flags & IFA_F.NOPREFIXROUTE and not network.is_link_local:
            yield own.index, network


def _add(network: Network, index: int) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.route(network, index)])
