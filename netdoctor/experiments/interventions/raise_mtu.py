"""Interfaces of pods, their bridge and uplinks take packets as large as the others do."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, attribute
from netdoctor.twin.wire.uapi.if_link import IFLA

KINDS = ("bridge", "veth", "")


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all whose MTU is below that of the widest of a pod's interfaces."""
    widths = [link.mtu for pod in situation.state.pods for link in pod.interfaces() if link.kind == "veth"]
    links = [link for link in situation.state.node.interfaces() if link.kind in KINDS and link.name != "lo"]
    narrow = [link for link in links if widths and link.mtu < max(widths)]
    if narrow:
        names = ", ".join(f"{link.name} ({link.mtu})" for link in narrow[:4])
        yield Intervention(
            "raise-mtu", UNNAMED, f"the MTU of {names} is below the {max(widths)} bytes that pods send",
            f"the MTU of {names} is {max(widths)}", partial(_set, tuple(link.index for link in narrow), max(widths)),
        )  # fmt: skip


def _set(indexes: tuple[int, ...], mtu: int) -> None:
    # ports first: a bridge's follows its narrowest
    with Netlink(ROUTE) as netlink:
        for _ in range(2):
            netlink.request([rtnl.change_link(i, attribute(IFLA.MTU, struct.pack("=I", mtu))) for i in indexes])
