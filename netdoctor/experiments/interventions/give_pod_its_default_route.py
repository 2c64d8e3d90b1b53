"""A pod without a default route has one, by the gateway of the other pods."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin.routes import Route, routes
from netdoctor.twin.state import NetworkState
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.rtnl import Address

EVERYWHERE = {4: ipaddress.ip_network("0.0.0.0/0"), 6: ipaddress.ip_network("::/0")}


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each pod of the flow's family that lacks it, where others have it."""
    version = ipaddress.ip_address(situation.flow.destination).version
    gateways: Counter[str] = Counter()
    lost = []
    for pod in situation.state.pods:
        mine = _default_routes(pod, version)
        gateways.update(route.gateway for route in mine if route.gateway)
        own = [link for link in pod.interfaces() if link.kind == "veth" and link.up]
        if not mine and own:
            lost.append((pod.name, own[0].index))
    if not gateways:
        return
    gateway, _ = gateways.most_common(1)[0]
    for name, index in lost:
        yield Intervention(
            "give-pod-its-default-route",
            UNNAMED,
            f"pod {name} has no default route of its own",
            f"pod {name} has `default via {gateway}`",
            partial(_add, ipaddress.ip_address(gateway), index),
            where=name,
        )


def _default_routes(pod: NetworkState, version: int) -> list[Route]:
    return [r for r in routes(pod) if not r.destination.prefixlen and r.destination.version == version]


def _add(gateway: Address, index: int) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.route(EVERYWHERE[gateway.version], index, gateway)])
