"""No permanent neighbour entry: who is asked answers for himself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.shell import all_of, command
from netdoctor.twin.state import address_of
from netdoctor.twin.wire.messages import NeighbourMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.uapi.rtnetlink import NUD, RTM

FAMILIES = (socket.AF_INET, socket.AF_INET6)
KINDS = ("bridge", "veth", "")


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all entries that somebody has made, of addresses that do not belong to an overlay."""
    node = situation.state.node
    kinds = {link.index: link.kind for link in node.interfaces()}
    names = {link.index: link.name for link in node.interfaces()}
    found = []
    for body in node.neighbours:
        known = NeighbourMessage(body)
        permanent = known.family in FAMILIES and known.state & NUD.PERMANENT
        if permanent and kinds.get(known.index) in KINDS:
            found.append((body, address_of(known.destination), names[known.index]))
    if found:
        words = ", ".join(f"{address} on {name}" for _, address, name in found[:4])
        yield Intervention(
            "forget-permanent-neighbours",
            UNNAMED,
            f"a permanent neighbour entry for {words} names an address where nothing answers",
            f"the permanent neighbour entry of {words} is deleted",
            partial(_delete, tuple(body for body, _, _ in found)),
            by_hand=all_of(command("sudo ip neigh del {} dev {}", address, name) for _, address, name in found),
        )


def _delete(bodies: tuple[bytes, ...]) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([(RTM.DELNEIGH, body, 0) for body in bodies])
