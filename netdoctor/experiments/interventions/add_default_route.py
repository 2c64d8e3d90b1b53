"""There is a default route, by a neighbour on an uplink."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import Intervention, Situation, ip_command
from netdoctor.twin.routes import routes
from netdoctor.twin.uplinks import uplinks
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import NUD_VALID, NeighbourMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.rtnl import Address
from netdoctor.twin.wire.uapi.rtnetlink import RT_TABLE


def propose(situation: Situation) -> Iterator[Intervention]:
    """One, where the flow's family has no default route and the node knows a neighbour on an uplink."""
    node, version = situation.state.node, ipaddress.ip_address(situation.flow.destination).version
    wide = [r for r in routes(node) if r.table == RT_TABLE.MAIN and not r.destination.prefixlen and not r.refuses]
    if any(route.destination.version == version for route in wide):
        return
    gateway = _neighbour(situation, version)
    if gateway:
        address, index, name = gateway
        yield Intervention(
            "add-default-route",
            "default-route-missing",
            "there is no default route",
            f"`default via {address} dev {name}` is added",
            partial(_add, address, index),
            by_hand=ip_command(version, "route add default via {} dev {}", address, name),
        )


def _neighbour(situation: Situation, version: int) -> tuple[Address, int, str] | None:
    names = {link.index: link.name for link in uplinks(situation.state)}
    for body in situation.state.node.neighbours:
        known = NeighbourMessage(body)
        of_version = len(known.destination) == (4 if version == 4 else 16)
        if known.index in names and known.state & NUD_VALID and of_version:
            address = ipaddress.ip_address(known.destination)
            if not address.is_multicast:
                return address, known.index, names[known.index]
    return None


def _add(gateway: Address, index: int) -> None:
    everywhere = ipaddress.ip_network("0.0.0.0/0" if gateway.version == 4 else "::/0")
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.route(everywhere, index, gateway)])
