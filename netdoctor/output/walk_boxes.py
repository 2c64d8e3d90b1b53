"""What stands in the boxes of a traced flow's picture: its ends, the uplinks, the bridge, and each hook's card."""

from __future__ import annotations

from dataclasses import dataclass

from netdoctor.output.svg import Line, lines_of
from netdoctor.tracing.packet_path import BRIDGE, Stay, end_text
from netdoctor.tracing.traced import Traced, own_addresses, pod_at
from netdoctor.twin.rule_words import UNREADABLE, rule_words
from netdoctor.twin.state import Link, State
from netdoctor.twin.twin import NODE, OUTSIDE
from netdoctor.twin.walk import TraceStep

CARD, DEVICE = 200.0, 132.0  # widths
POD = "pod"
NOWHERE = "nowhere"  # a far end that is no place: a ClusterIP that was not translated


@dataclass(frozen=True, slots=True)
class BoxSide:
    """One end of the flow: what it is (POD, NODE, OUTSIDE, NOWHERE), and what stands in its box."""

    kind: str
    lines: list[Line]


def source_of(traced: Traced) -> BoxSide:
    """The sender."""
    name, passage = traced.walk.flow.source, traced.way.on_node
    address = traced.source.address or (passage.stays[0].before.source if passage else "")
    if name in (NODE, OUTSIDE):
        title = "a program of the node" if name == NODE else "outside"
        return BoxSide(name, [(title, "name"), *lines_of(address, CARD)])
    return BoxSide(POD, _pod(traced.state, name, address))


def target_of(traced: Traced) -> BoxSide:
    """Where the question was going when it was last seen."""
    state, passage, target = traced.state, traced.way.on_node, traced.target
    last = passage.stays[-1].after if passage else None
    address, port = (last.destination, last.destination_port) if last else (target.address, target.port)
    end = lines_of(end_text(address, port), CARD)
    if pod := pod_at(state, address):
        return BoxSide(POD, _pod(state, pod, end_text(address, port)))
    if address in own_addresses(state):
        return BoxSide(NODE, [("a program of the node", "name"), *end])
    if target.in_service and address == target.address:
        return BoxSide(NOWHERE, [*lines_of(target.label, CARD, "name"), *end])
    return BoxSide(OUTSIDE, [("outside", "name"), *end])


def _pod(state: State, name: str, address: str) -> list[Line]:
    lines = [("pod", "dim"), *lines_of(name, CARD, "name"), *lines_of(address, CARD)]
    links = {link.index: link for link in state.node.interfaces()}
    for link in state.by_name[name].interfaces():
        port = links.get(link.peer)
        if link.kind == "veth" and port:
            lines += lines_of(f"{link.name} = {port.name}", CARD, "dim")
            if bridge := links.get(port.master):
                lines += lines_of(f"a port of {bridge.name}", CARD, "dim")
    return lines


def _addresses(state: State, index: int) -> list[str]:
    return [str(own) for i, own in state.node.own_addresses() if i == index and not own.ip.is_link_local]


def device_lines(state: State, name: str) -> list[Line]:
    """An uplink with its addresses."""
    index = next((link.index for link in state.node.interfaces() if link.name == name), 0)
    lines = [line for own in _addresses(state, index) for line in lines_of(own, DEVICE, "dim")]
    return [*lines_of(name or "an uplink", DEVICE, "name"), *lines]


def bridge_name(traced: Traced, stays: tuple[Stay, ...]) -> str:
    """The bridges that the packet passes, each with its addresses."""
    links = traced.state.node.interfaces()
    masters = {link.name: link.master for link in links}
    ports = [name for stay in stays if stay.layer == BRIDGE for name in (stay.interface_in, stay.interface_out)]
    passed = dict.fromkeys(masters.get(name, 0) for name in ports)
    found = [_bridge(traced.state, bridge) for master in passed for bridge in links if bridge.index == master]
    return "; ".join(found) or "a bridge"


def _bridge(state: State, bridge: Link) -> str:
    """A bridge with its addresses and how many ports it has."""
    count = sum(link.master == bridge.index for link in state.node.interfaces())
    ways = f"{count} port{'' if count == 1 else 's'}"
    return f"bridge {bridge.name} {' '.join(_addresses(state, bridge.index))}, {ways}"


def card_lines(stay: Stay) -> list[Line]:
    """What stands on a hook's card: its interfaces, what was translated, who accepted it, or what stopped it."""
    lines = [*lines_of(stay.name, CARD - 20, "name"), *lines_of(stay.interfaces, CARD, "dim")]
    translation = stay.translation
    if translation:
        for old, new in translation.changes():
            lines += [*lines_of(old, CARD, "nat"), *lines_of(f"→ {new}", CARD, "nat")]
        lines += lines_of(translation.by, CARD)
    for rules in stay.rules:
        step = rules.verdict
        if step is None or step.drops or step.is_policy or (translation and step is translation.rule):
            continue
        lines += lines_of(f"✓ {step.chain}", CARD, "dim")
    if stay.stop:
        lines += stop_lines(stay.stop)
    elif not stay.passed:
        lines += lines_of("lost in here", CARD, "bad")
    return lines


def stop_lines(stop: TraceStep) -> list[Line]:
    """The rule, or the policy, that stopped a packet."""
    place = f"{stop.family} {stop.table} {stop.chain}" + (f", handle {stop.handle}" if stop.handle else "")
    why = "its policy is drop" if stop.is_policy else rule_words(stop.text) or UNREADABLE
    return [*lines_of("STOPPED", CARD, "bad"), *lines_of(place, CARD), *lines_of(why, CARD, "bad")]
