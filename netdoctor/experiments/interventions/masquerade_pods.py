"""Pod traffic that leaves the node does so with the node's address, whatever other rules say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import partial

from netdoctor.changes import _iptables_nat
from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.system.host import Host
from netdoctor.twin.state import State
from netdoctor.twin.uplinks import uplink_ports, uplinks

TABLE = "netdoctor_masquerade"
FIRST = 90  # before iptables' nat chains, at 100: who masquerades first decides


def propose(situation: Situation) -> Iterator[Intervention]:
    """One, where a pod's packet was last seen leaving the node with the pod's own address."""
    state, last = situation.state, situation.walk.last
    if last is None or last.packet.source not in state.pod_addresses or not last.chain.startswith("postrouting"):
        return
    leading = {link.index for link in uplinks(state)} | uplink_ports(state).keys()
    if last.interface_out not in {link.name for link in state.node.interfaces() if link.index in leading}:
        return
    networks = _networks_of_pods(state, ipaddress.ip_address(last.packet.source).version)
    yield Intervention(
        "masquerade-pods",
        "pod-masquerade-missing",
        f"packets of pods leave {last.interface_out} with the pods' own addresses",
        f"traffic from {', '.join(networks)} to other networks is masqueraded",
        partial(_load, tuple(networks)),
    )


def _networks_of_pods(state: State, version: int) -> list[str]:
    """The networks of one family that pods have addresses in, in order."""
    own = [address for pod in state.pods for _, address in pod.own_addresses() if address.version == version]
    return sorted({str(a.network) for a in own if not a.ip.is_loopback and not a.ip.is_link_local})


def _load(networks: tuple[str, ...]) -> None:
    family = "ip6" if ":" in networks[0] else "ip"
    if _iptables_nat.needed():
        _iptables_nat.masquerade(Host(), family, networks)
        return
    inside = ", ".join(networks)
    rule = f"{family} saddr {{ {inside} }} {family} daddr != {{ {inside} }} masquerade"
    chain = f"chain out {{\ntype nat hook postrouting priority {FIRST};\n{rule}\n}}"
    Host().run(["nft", "-f", "-"], stdin=f"table {family} {TABLE} {{\n{chain}\n}}\n")
