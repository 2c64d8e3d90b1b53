"""A pod's interface that is not a port of the bridge becomes one, like those of the other pods."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from netdoctor.changes.bridge_port import JoinBridge
from netdoctor.changes.link import NAME
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.shell import all_of, command
from netdoctor.twin.state import Link
from netdoctor.twin.uplinks import pod_ports
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, attribute, by_kind
from netdoctor.twin.wire.uapi.if_link import IFLA, IFLA_BRPORT


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all that have lost their bridge."""
    state = situation.state
    ends, links = pod_ports(state), state.node.interfaces()
    pods = [link for link in links if link.index in ends]
    masters = Counter(link.master for link in pods if link.master)
    if not masters:
        return
    bridge = masters.most_common(1)[0][0]
    name = next(link.name for link in links if link.index == bridge)
    lost = [link for link in pods if not link.master]
    if lost:
        shown = _in_words(lost, ends)
        yield Intervention(
            "join-bridge",
            UNNAMED,
            f"{shown} is not a port of bridge {name}",
            f"{shown} is a port of {name}",
            partial(_join, tuple(link.index for link in lost), bridge),
            by_hand=_by_hand(lost, name),
            changes=_changes(lost, name, bridge, pods),
        )


def _in_words(lost: list[Link], ends: Mapping[int, str]) -> str:
    """The ports, each with the pod at its other end."""
    return ", ".join(f"{link.name} (pod {ends[link.index]})" for link in lost)


def _by_hand(lost: list[Link], bridge: str) -> tuple[str, ...]:
    joined = [command("sudo ip link set dev {} master {}", link.name, bridge) for link in lost]
    return all_of([*joined, *(command("sudo bridge link set dev {} hairpin on", link.name) for link in lost)])


def _changes(lost: list[Link], name: str, index: int, pods: list[Link]) -> tuple[JoinBridge, ...]:
    """The same on the node, with hairpin as it is at the bridge's other ports; none where a name is unusual."""
    if not all(NAME.fullmatch(each) for each in (name, *(link.name for link in lost))):
        return ()
    others = [link for link in pods if link.master == index]
    hairpin = all(by_kind(link.port_data).get(IFLA_BRPORT.MODE) == b"\1" for link in others)
    return tuple(JoinBridge(link.name, link.index, name, index, hairpin) for link in lost)


def _join(indexes: tuple[int, ...], bridge: int) -> None:
    hairpin = rtnl.bridge_portinfo(attribute(IFLA_BRPORT.MODE, b"\1"))
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.change_link(i, attribute(IFLA.MASTER, struct.pack("=I", bridge))) for i in indexes])
        netlink.request([rtnl.change_link(index, hairpin) for index in indexes])
