"""A route that refuses, or leads astray, is away."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, ip_command
from netdoctor.twin.routes import Route, leading_to
from netdoctor.twin.state import NetworkState
from netdoctor.twin.walk import REQUEST
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.uapi.rtnetlink import RTM, RTPROT

MOST = 4


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each route to the packet's destination that somebody set, the default route left out."""
    node = situation.state.node
    seen: list[bytes] = []
    for target in _ends_of_question(situation):
        for route in leading_to(node, target):
            if route.body in seen or _stays(route):
                continue
            seen.append(route.body)
            yield _without(route, node)
            if len(seen) == MOST:
                return


def _ends_of_question(situation: Situation) -> dict[str, None]:
    """The addresses that the question was sent to, as it was asked and as it last was, and the one it came from."""
    steps = [step for step in situation.walk.steps if step.where == "node" and step.direction == REQUEST]
    targets, back = [step.packet.destination for step in steps], [step.packet.source for step in steps]
    return dict.fromkeys([situation.flow.destination, *targets[-1:], *back[:1]])


def _stays(route: Route) -> bool:
    """Whether a route is the kernel's own or the default route, and refuses nothing."""
    return not route.refuses and (route.protocol == RTPROT.KERNEL or not route.destination.prefixlen)


def _without(route: Route, node: NetworkState) -> Intervention:
    text = route.text(node)
    if route.refuses:
        cause, says = "packets-refused-by-routing", f"the route `{text}` refuses"
    else:
        cause, says = UNNAMED, f"the route `{text}` leads elsewhere"
    by_hand = ip_command(route.destination.version, "route del {}", route.selected_by(node))
    make = partial(_delete, route.body)
    return Intervention("remove-routes", cause, says, f"the route `{text}` is removed", make, by_hand=by_hand)


def _delete(body: bytes) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([(RTM.DELROUTE, body, 0)])
