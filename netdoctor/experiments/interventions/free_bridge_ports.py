"""Ports of a bridge are neither isolated nor guarded, learn, flood, and send back what came from them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, attribute, by_kind
from netdoctor.twin.wire.uapi.if_link import BR_STATE, IFLA_BRPORT

# attribute, word, value as a bridge has it by default, or as the CNI sets it (hairpin)
FLAGS = (
    (IFLA_BRPORT.STATE, "state", BR_STATE.FORWARDING),
    (IFLA_BRPORT.MODE, "hairpin", 1),
    (IFLA_BRPORT.GUARD, "guard", 0),
    (IFLA_BRPORT.PROTECT, "protect", 0),
    (IFLA_BRPORT.LEARNING, "learning", 1),
    (IFLA_BRPORT.UNICAST_FLOOD, "flood", 1),
    (IFLA_BRPORT.ISOLATED, "isolated", 0),
)


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each flag that is otherwise somewhere."""
    ports = [(link, by_kind(link.port_data)) for link in situation.state.node.interfaces() if link.port_data]
    for number, word, usual in FLAGS:
        odd = [link for link, data in ports if number in data and data[number][0] != usual]
        if number == IFLA_BRPORT.STATE:  # of a port that is down or has no carrier it is the kernel's own
            odd = [link for link in odd if link.up and link.carrier]
        if not odd:
            continue
        names = ", ".join(link.name for link in odd[:4])
        if number == IFLA_BRPORT.STATE:
            says, change = f"port {names} of the bridge does not forward", f"{names} forwards"
        else:
            says = f"port {names} of the bridge has {word} {'off' if usual else 'on'}"
            change = f"{word} is {'on' if usual else 'off'} at {names}"
        make = partial(_set, tuple(link.index for link in odd), number, usual)
        yield Intervention("free-bridge-ports", UNNAMED, says, change, make)


def _set(indexes: tuple[int, ...], number: int, value: int) -> None:
    info = rtnl.bridge_portinfo(attribute(number, bytes([value])))
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.change_link(index, info) for index in indexes])
