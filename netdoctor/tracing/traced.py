"""One flow, asked and traced in a copy of the node, and in one sentence how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from netdoctor.system import route_lookup
from netdoctor.system.host import Host
from netdoctor.system.legacy_iptables import grown, legacy_counters
from netdoctor.system.traffic import Answer, Reply
from netdoctor.tracing.ends import FlowEnd, Known
from netdoctor.tracing.packet_path import BRIDGE, IP, PacketPath, Passage, Stay, end_text, way_of
from netdoctor.twin.build import build
from netdoctor.twin.rule_words import UNREADABLE, rule_words
from netdoctor.twin.state import State
from netdoctor.twin.tracer import Tracer
from netdoctor.twin.twin import NODE, OUTSIDE, Flow, Twin
from netdoctor.twin.walk import TraceStep, Walk

SILENT = "no neighbour answers for it (ARP)"
# what the kernel's routing says, in plain words
REFUSALS = {
    "Invalid cross-device link": "the way back to its source does not lead through {interface} (rp_filter)",
    "No route to host": "there is no route to {destination}",
    "Network is unreachable": "no route leads to {destination}",
    "Permission denied": "a route or rule prohibits {destination}",
}
TRACKED = -195  # the bracket of prerouting behind conntrack


class Fate(StrEnum):
    """How it ended."""

    ARRIVED = "ARRIVED"
    STOPPED = "STOPPED"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Ending:
    """How the flow ended: the word, where, and what that means, as one line."""

    word: Fate
    text: str

    @property
    def arrived(self) -> bool:
        """Whether the question reached its far end and the answer came back."""
        return self.word is Fate.ARRIVED

    def __str__(self) -> str:
        return f"{self.word} {self.text}"


@dataclass(frozen=True, slots=True)
class Traced:
    """A flow with the names of its ends, its way through the copy, and its ending."""

    state: State
    source: FlowEnd
    target: FlowEnd
    walk: Walk
    way: PacketPath
    reply: Reply
    ending: Ending
    node: str = ""  # the node's name
    lacking: tuple[str, ...] = ()  # what could not be read


def trace_named(
    known: Known, source: str, destination: str, port: str, protocol: str, change: Callable[[Twin], None] | None = None
) -> Traced:
    """Follow the flow whose ends are named as on the command line. Raises BadInput, CannotRead."""
    name, label = known.source(source)
    target = known.target(destination, port, protocol)
    chosen = protocol or target.protocol or ("udp" if target.port == 53 else "tcp")
    flow, address = known.flow(name, target, chosen)
    return trace(known.state, FlowEnd(label, address), target, flow, known.node, known.lacking, change)


def trace(
    state: State,
    source: FlowEnd,
    target: FlowEnd,
    flow: Flow,
    node: str = "",
    lacking: tuple[str, ...] = (),
    change: Callable[[Twin], None] | None = None,
) -> Traced:
    """Build a copy, ask the flow in it and follow its packets. Raises CannotRead where no copy can be made.

    `change` is made in the copy first.
    """
    twin = build(state)
    try:
        if change:
            change(twin)
        if flow.source == OUTSIDE and target.address in state.pod_addresses:
            twin.outside.know_pods()
        reply = twin.ask(flow)
        legacy = ""
        with Tracer(twin) as tracer:
            before = _legacy(twin)
            walk = tracer.walk(flow)
            if reply.arrived and not walk.reply.arrived:  # another process had the processor
                walk = tracer.walk(flow)
            legacy = grown(before, _legacy(twin))
        way = way_of(walk)
        refusal = _refusal(twin, way.on_node) if not reply.arrived and not way.stop else ""
    finally:
        twin.close()
    ending = ending_of(state, walk, way, reply, legacy=legacy, refusal=refusal, in_service=target.in_service)
    return Traced(state, source, target, walk, way, reply, ending, node, lacking)


def _legacy(twin: Twin) -> dict[str, int]:
    return twin.run(lambda: legacy_counters(Host())) if twin.state.node.legacy else {}


def _refusal(twin: Twin, passage: Passage | None) -> str:
    """What routing says to the packet where it was last seen before routing; "" where it has a way for it."""
    if not passage or passage.last.hook != "prerouting" or not passage.last.passed:
        return ""
    packet, interface = passage.last.after, passage.last.interface_in
    said = twin.run(lambda: route_lookup.refused(Host(), packet.destination, packet.source, interface))
    return REFUSALS.get(said, said).format(destination=packet.destination, interface=interface)


def ending_of(
    state: State,
    walk: Walk,
    way: PacketPath,
    reply: Reply,
    *,
    legacy: str = "",
    refusal: str = "",
    in_service: bool = False,
) -> Ending:
    """How it ended and why, as far as the packets show.

    `legacy`: the rule of legacy iptables that took it; `refusal`: what routing said; `in_service`: whether it was for
    a ClusterIP.
    """
    if way.stop and not (reply.arrived and reply.answer is not Answer.REFUSED):
        return Ending(Fate.STOPPED, _stopped(way, way.stop, reply))
    if reply.arrived:
        return Ending(Fate.ARRIVED, _arrived(state, walk, way, reply))
    if legacy:
        return Ending(Fate.LOST, f"to a rule of legacy iptables: {legacy}: {heard(reply)}")
    return Ending(Fate.LOST, "; ".join(_lost(state, walk, way, reply, refusal, in_service=in_service)))


def heard(reply: Reply) -> str:
    """What the sender notices."""
    if reply.icmp:
        return f"the sender gets ICMP {reply.icmp}"
    if reply.answer is Answer.REFUSED:
        return "the sender gets a reset"
    return "the sender hears nothing" if reply.answer is Answer.TIMEOUT else f"the sender is told: {reply.answer}"


def place_of(step: TraceStep) -> str:
    """`inet firewalld filter_FWD_public, handle 123: reject with icmpx admin-prohibited`."""
    where = "" if step.where == NODE else f"in pod {step.where}, "
    place = f"{where}{step.family} {step.table} {step.chain}"
    if step.is_policy:
        return f"{place}: its policy is drop"
    return f"{place}, {number_of(step)}: {rule_words(step.text) or UNREADABLE}"


def number_of(step: TraceStep) -> str:
    """`handle 7`, or that a rule's handle is not known."""
    return f"handle {step.handle}" if step.handle else "a rule whose handle is not known"


def _stopped(way: PacketPath, step: TraceStep, reply: Reply) -> str:
    if any(p.stop for p in way.answer):
        return f"on the way back, at {place_of(step)}: {heard(reply)}"
    later = "after its first packet had passed, " if way.later else ""
    return f"{later}at {place_of(step)}: {heard(reply)}"


def _arrived(state: State, walk: Walk, way: PacketPath, reply: Reply) -> str:
    there = way.question[-1].stays[-1].after if way.question else None
    if there is None:
        refused = ", and was refused: nothing listens there" if reply.answer is Answer.REFUSED else ""
        return f"at {walk.flow.destination} without leaving its namespace{refused or ': no hook of the node saw it'}"
    where = end_text(there.destination, there.destination_port)
    name = pod_at(state, there.destination)
    if not name and there.destination not in own_addresses(state):
        back = "an answer finds its way back, assuming that there is one"
        return f"at {where}, outside the node, with source {there.source}; {back}"
    place = f"at {where}" + (f" (pod {name})" if name else "")
    if reply.answer is Answer.REFUSED:
        return f"{place}, and was refused: nothing listens there"
    return f"{place}, and the answer came back"


def own_addresses(state: State) -> frozenset[str]:
    """The node's own."""
    return frozenset(str(address.ip) for _, address in state.node.own_addresses())


def pod_at(state: State, address: str) -> str:
    """The captured pod with this address, "" for none."""
    owned = ((pod.name, own.ip) for pod in state.pods for _, own in pod.own_addresses() if not own.ip.is_loopback)
    return next((name for name, ip in owned if str(ip) == address), "")


def _lost(state: State, walk: Walk, way: PacketPath, reply: Reply, refusal: str, *, in_service: bool) -> Iterator[str]:
    """Where it was last seen, why it went no further as far as that can be seen, and what the sender notices."""
    passage = way.on_node
    if passage is None:
        origin = {NODE: "the node", OUTSIDE: "the outside"}.get(walk.flow.source, f"pod {walk.flow.source}")
        yield f"before the node's first hook: nothing came out of {origin}"
        if reply.answer is Answer.NET_UNREACHABLE and not reply.icmp:
            why = ": a ClusterIP means nothing beyond the nodes" if in_service else ""
            yield f"{origin} has no route to {walk.flow.destination}{why}"
        elif reply.answer is Answer.HOST_UNREACHABLE:
            yield SILENT
        yield heard(reply)
        return
    if way.answer:
        yield from _answer_lost(state, way)
    else:
        yield from _question_lost(state, passage, refusal)
        if reply.answer is Answer.HOST_UNREACHABLE:
            yield SILENT
    yield heard(reply)


def _answer_lost(state: State, way: PacketPath) -> Iterator[str]:
    back = way.back_on_node
    last = (back or way.answer[-1]).stays[-1]
    asked = way.question[0].stays[0].before
    came, wanted = (last.after.source, last.after.source_port), (asked.destination, asked.destination_port)
    if not last.passed:
        yield f"on the way back, in {last.name}"
    elif last.hook in ("postrouting", "input") and came != wanted:
        yield f"on the way back: the answer comes from {end_text(*came)}, and {end_text(*wanted)} was asked"
        if not any(stay.layer == IP for stay in (back.stays if back else ())) and last.layer == BRIDGE:
            call = state.node.sysctls.get("bridge/bridge-nf-call-iptables", "")
            why = f" (net.bridge.bridge-nf-call-iptables is {call})" if call == "0" else ""
            yield f"the bridge did not show it to the IP layer{why}, so nothing translated it back"
        else:
            yield "nothing translated it back"
    else:
        yield f"on the way back, after {last.name} ({last.interfaces})"


def _question_lost(state: State, passage: Passage, refusal: str) -> Iterator[str]:
    last = passage.last
    if not last.passed:
        yield f"in {last.name}, behind priority {last.reached}: no rule of nftables took it"
        if last.hook == "prerouting" and last.reached < TRACKED:
            yield "conntrack takes no new flow"
    elif last.layer == BRIDGE:
        yield f"after {last.name}: the bridge hands it to no port"
    elif last.hook == "prerouting":
        yield from _not_routed(state, last, refusal)
    elif last.hook == "postrouting":
        yield from _left(state, passage)
    elif last.hook == "input":
        yield f"after input: the node took it, and nothing answered at port {last.after.destination_port}"
    else:
        yield f"after {last.name} ({last.interfaces})"


def _not_routed(state: State, last: Stay, refusal: str) -> Iterator[str]:
    """That routing had no way for the packet, and the setting or the words of the kernel that say why."""
    key = "ipv6/conf/all/forwarding" if ":" in last.after.destination else "ipv4/ip_forward"
    if state.node.sysctls.get(key) == "0":
        yield "after prerouting: this node does not forward packets (no forward, no input)"
        yield f"net.{key.replace('/', '.')} is 0"
        return
    yield "after prerouting: routing has no route for it (no forward, no input)"
    if refusal:
        yield refusal


def _left(state: State, passage: Passage) -> Iterator[str]:
    packet = passage.stays[-1].after
    pod = pod_at(state, packet.destination)
    if pod:
        yield f"after postrouting: it went to pod {pod}, and no answer came back"
    else:
        bare = packet.source in state.pod_addresses
        own = " (a pod's own address: nothing masquerades it)" if bare else ""
        left = f"it left {passage.last.interface_out} with source {packet.source}{own}"
        yield f"after postrouting: {left}, and no answer came back"
