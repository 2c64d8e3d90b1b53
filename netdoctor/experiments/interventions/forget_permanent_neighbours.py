"""No permanent neighbour entry: who is asked answers for himself."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin.state import NUD_PERMANENT, RTMSG, address_of
from netdoctor.twin.wire.netlink import ROUTE, Netlink, by_kind

DELETE_NEIGHBOUR = 29


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all entries that somebody has made, of addresses that are no overlay's."""
    node = situation.state.node
    kinds = {link.index: link.kind for link in node.interfaces()}
    names = {link.index: link.name for link in node.interfaces()}
    found = []
    for body in node.neighbours:
        index, condition = struct.unpack_from("=iH", body, 4)
        raw = by_kind(body, RTMSG).get(1, b"")
        if body[0] in (2, 10) and condition & NUD_PERMANENT and kinds.get(index) in ("bridge", "veth", ""):
            found.append((body, f"{address_of(raw)} on {names[index]}"))
    if found:
        words = ", ".join(text for _, text in found[:4])
        yield Intervention(
            "forget-permanent-neighbours", UNNAMED,
            f"a permanent neighbour entry says where {words} is, and nobody is there",
            f"without the permanent neighbour entry of {words}", partial(_delete, tuple(body for body, _ in found)),
        )  # fmt: skip


def _delete(bodies: tuple[bytes, ...]) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([(DELETE_NEIGHBOUR, body, 0) for body in bodies])
