"""Interfaces of pods, their bridge and uplinks take packets as large as the others do."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.shell import all_of, command
from netdoctor.twin.state import State
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, attribute
from netdoctor.twin.wire.uapi.if_link import IFLA

KINDS = ("bridge", "veth", "")


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all whose MTU is below that of the widest of a pod's interfaces."""
    widest = _widest(situation.state)
    links = [link for link in situation.state.node.interfaces() if link.kind in KINDS and link.name != "lo"]
    narrow = [link for link in links if link.mtu < widest]
    if narrow:
        names = ", ".join(f"{link.name} ({link.mtu})" for link in narrow[:4])
        says = f"the MTU of {names} is below the {widest} bytes that pods send"
        make = partial(_set, tuple(link.index for link in narrow), widest)
        ports_first = sorted(narrow, key=lambda link: link.kind == "bridge")  # a bridge's follows its narrowest
        by_hand = all_of(command("sudo ip link set dev {} mtu {}", link.name, widest) for link in ports_first)
        yield Intervention("raise-mtu", UNNAMED, says, f"the MTU of {names} is {widest}", make, by_hand=by_hand)


def _widest(state: State) -> int:
    """The MTU of the widest of pods' interfaces; 0 where there is none."""
    return max((link.mtu for pod in state.pods for link in pod.interfaces() if link.kind == "veth"), default=0)


def _set(indexes: tuple[int, ...], mtu: int) -> None:
    # ports first: a bridge's follows its narrowest
    with Netlink(ROUTE) as netlink:
        for _ in range(2):
            netlink.request([rtnl.change_link(i, attribute(IFLA.MTU, struct.pack("=I", mtu))) for i in indexes])
