"""The pods' gateway is an address of their bridge."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin.routes import routes
from netdoctor.twin.uplinks import pod_bridges, pod_ports
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.rtnl import Address, Network


def propose(situation: Situation) -> Iterator[Intervention]:
    """One, where most pods' default route leads to an address that the node does not have."""
    state = situation.state
    own = {str(address.ip) for _, address in state.node.own_addresses()}
    found = Counter(r.gateway for pod in state.pods for r in routes(pod) if r.gateway and not r.destination.prefixlen)
    lost = [gateway for gateway, _ in found.most_common(2) if gateway not in own]
    ends, of_pods = pod_ports(state), pod_bridges(state)
    bridges = {link.index: link.name for link in state.node.interfaces() if link.index in of_pods}
    masters = Counter(link.master for link in state.node.interfaces() if link.index in ends and link.master in bridges)
    networks = [a.network for pod in state.pods for _, a in pod.own_addresses() if not a.ip.is_loopback]
    for text in lost:
        gateway = ipaddress.ip_address(text)
        network = next((n for n in networks if gateway in n), None)
        if network and masters:
            bridge = masters.most_common(1)[0][0]
            yield Intervention(
                "give-bridge-its-address", UNNAMED,
                f"bridge {bridges[bridge]} has lost {gateway}, which the pods' default routes lead to",
                f"{gateway}/{network.prefixlen} is an address of {bridges[bridge]}",
                partial(_add, gateway, network, bridge),
            )  # fmt: skip


def _add(gateway: Address, network: Network, bridge: int) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.own(gateway, bridge), rtnl.route(network, bridge)])
