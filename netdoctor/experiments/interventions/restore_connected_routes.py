"""The networks of the node's own addresses are reached over the interfaces that have these addresses."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin.routes import routes
from netdoctor.twin.state import IFADDR, NetworkState
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, by_kind, u32
from netdoctor.twin.wire.rtnl import Network

FLAGS, NO_PREFIX_ROUTE = 8, 0x200  # IFA_FLAGS, IFA_F_NOPREFIXROUTE


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each route that the kernel made for an address and that is gone."""
    node = situation.state.node
    names = {link.index: link.name for link in node.interfaces() if link.up and link.name != "lo"}
    there = {(route.destination, route.device) for route in routes(node)}
    for index, network in _networks(node):
        if index in names and (network, index) not in there:
            route = f"{network} dev {names[index]}"
            yield Intervention(
                "restore-connected-routes", UNNAMED, f"the route `{route}` is gone, which comes with the address there",
                f"with the route `{route}`", partial(_add, network, index),
            )  # fmt: skip


def _networks(node: NetworkState) -> Iterator[tuple[int, Network]]:
    """Interface index and network of each address that the kernel makes a route for."""
    for body in node.addresses:
        found = by_kind(body, IFADDR)
        raw = found.get(2, found.get(1, b""))
        flags = u32(found.get(FLAGS, struct.pack("=I", body[2])))
        if len(raw) * 8 > body[1] and len(raw) in (4, 16) and not flags & NO_PREFIX_ROUTE:
            network = ipaddress.ip_interface((raw, body[1])).network
            if not network.is_link_local:
                yield u32(body[4:8]), network


def _add(network: Network, index: int) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.route(network, index)])
