"""A route that refuses, or leads astray, is away."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin.routes import leading_to
from netdoctor.twin.walk import REQUEST
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.uapi.rtnetlink import RTM, RTPROT

MOST = 4


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each route to the packet's destination that somebody set, the default route left out."""
    targets = [s.packet.destination for s in situation.walk.steps if s.where == "node" and s.direction == REQUEST]
    back = [s.packet.source for s in situation.walk.steps if s.where == "node" and s.direction == REQUEST]
    wanted = dict.fromkeys([situation.flow.destination, *targets[-1:], *back[:1]])
    seen: list[bytes] = []
    for target in wanted:
        for route in leading_to(situation.state.node, target):
            if route.body in seen or (route.protocol == RTPROT.KERNEL and not route.refuses):
                continue
            if not route.destination.prefixlen and not route.refuses:
                continue
            seen.append(route.body)
            words = "refuses" if route.refuses else "leads elsewhere"
            text = route.text(situation.state.node)
            yield Intervention(
                "remove-routes", "packets-refused-by-routing" if route.refuses else UNNAMED,
                f"the route `{text}` {words}", f"without the route `{text}`", partial(_delete, route.body),
            )  # fmt: skip
            if len(seen) == MOST:
                return


def _delete(body: bytes) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([(RTM.DELROUTE, body, 0)])
