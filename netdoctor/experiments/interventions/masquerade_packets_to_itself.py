"""A pod's packet that a Service leads back to the same pod has the node's address as its source."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.changes import _iptables_nat
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.shell import command
from netdoctor.system.host import Host

TABLE = "netdoctor_itself"
FIRST = 90  # before iptables' nat chains, at 100: who masquerades first decides


def propose(situation: Situation) -> Iterator[Intervention]:
    """One, where a pod's packet was last seen on its way back to the pod with the pod's own address as its source."""
    last = situation.walk.last
    if last is None or last.packet.source != last.packet.destination:
        return
    address = last.packet.source
    if address not in situation.state.pod_addresses:
        return
    program = "ip6tables" if ":" in address else "iptables"
    form = f"sudo {program} -t nat -I POSTROUTING -s {{}} -d {{}} -j MASQUERADE"
    yield Intervention(
        "masquerade-packets-to-itself",
        UNNAMED,
        f"packets of {address} that its Service leads back to it are not masqueraded",
        f"traffic from {address} to itself is masqueraded",
        partial(_load, address),
        by_hand=command(form, address, address),
    )


def _load(address: str) -> None:
    family = "ip6" if ":" in address else "ip"
    if _iptables_nat.needed():
        _iptables_nat.translate(Host(), family, (), (address,))
        return
    rule = f"{family} saddr {address} {family} daddr {address} masquerade"
    chain = f"chain out {{\ntype nat hook postrouting priority {FIRST};\n{rule}\n}}"
    Host().run(["nft", "-f", "-"], stdin=f"table {family} {TABLE} {{\n{chain}\n}}\n")
