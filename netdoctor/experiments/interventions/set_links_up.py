"""Interfaces that are down are up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.shell import all_of, command
from netdoctor.twin.state import Link
from netdoctor.twin.uplinks import pod_bridges, pod_ports
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for the pods' bridges and their ports, and one for each other interface."""
    state = situation.state
    bridges, ports = pod_bridges(state), pod_ports(state)
    down = [link for link in state.node.interfaces() if not link.up and link.name != "lo"]
    pods = [link for link in down if link.index in bridges or link.index in ports]
    if pods:
        yield _set_up("pod-link-down", pods)
    for link in down:
        if link not in pods:
            yield _set_up(UNNAMED, [link])


def _set_up(cause: str, links: list[Link]) -> Intervention:
    names = ", ".join(link.name for link in links)
    make = partial(_up, tuple(link.index for link in links))
    by_hand = all_of(command("sudo ip link set dev {} up", link.name) for link in links)
    return Intervention("set-links-up", cause, f"{names} is down", f"{names} is up", make, by_hand=by_hand)


def _up(indexes: tuple[int, ...]) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.link_up(index) for index in indexes])
