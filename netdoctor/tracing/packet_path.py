"""A walk put in order for reading: packet by packet, hook by hook, with what each hook decided and translated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from netdoctor.tracing.rules import Rules, rules_of
from netdoctor.twin.rule_words import UNREADABLE, comment_of
from netdoctor.twin.twin import NODE
from netdoctor.twin.walk import ERROR_MESSAGE, REPLY, REQUEST, Packet, TraceStep, Walk

BRIDGE, IP, DEVICE = "bridge", "ip", "device"  # whose hook it is
LAYERS = {"bridge": BRIDGE, "netdev": DEVICE}
REDIRECT = "5/"  # ICMP's advice, which is no error
LAST = {BRIDGE: 350, IP: 400}  # the last bracket of a hook
SERVICE = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9.-]+(?::[A-Za-z0-9.-]+)?")


@dataclass(frozen=True, slots=True)
class Stay:
    """A packet at one hook."""

    where: str
    layer: str
    hook: str
    interface_in: str
    interface_out: str
    before: Packet
    after: Packet
    rules: tuple[Rules, ...]
    reached: int  # the last bracket that it passed

    @property
    def name(self) -> str:
        """As the picture and the text call it: `bridge prerouting`, `forward`."""
        return self.hook if self.layer == IP else f"{self.layer} {self.hook}"

    @property
    def interfaces(self) -> str:
        """`eth0`, `-> eth0` or `bridge -> eth0`."""
        return f"{self.interface_in} → {self.interface_out}".strip() if self.interface_out else self.interface_in

    @property
    def passed(self) -> bool:
        """Whether it came out at the hook's other end."""
        return self.reached >= LAST.get(self.layer, 0) and self.stop is None

    @property
    def stop(self) -> TraceStep | None:
        """The rule that ended the packet here."""
        return next((step for rules in self.rules for step in rules.effects if step.drops), None)

    @property
    def translation(self) -> Translation | None:
        """What was translated here; a bridge translates nothing, it only sees what the IP layer did."""
        if self.layer != IP or (_ends(self.before) == _ends(self.after)):
            return None
        verdicts = [rules.verdict for rules in self.rules if rules.verdict]
        rule = next((step for step in verdicts if _translates(step)), None)
        if rule is None:  # only the first packet of a flow comes to a chain of table nat
            rule = next((step for step in verdicts if "nat" in step.table and not step.is_policy), None)
        return Translation(self.before, self.after, rule)


@dataclass(frozen=True, slots=True)
class Translation:
    """An address or port that changed, and the rule that said so; without one, conntrack did it for a known flow."""

    before: Packet
    after: Packet
    rule: TraceStep | None

    def changes(self) -> Iterator[tuple[str, str]]:
        """Each end that changed: destination, then source."""
        b, a = self.before, self.after
        ends = (
            (b.destination, b.destination_port, a.destination, a.destination_port),
            (b.source, b.source_port, a.source, a.source_port),
        )
        for old, old_port, new, new_port in ends:
            if (old, old_port) != (new, new_port):
                yield end_text(old, old_port), end_text(new, new_port)

    @property
    def by(self) -> str:
        """`DNAT by KUBE-SEP-X for kube-system/kube-dns:dns`."""
        if self.rule is None:
            return "by conntrack, which knows the flow"
        if not _translates(self.rule):
            return f"by a rule of {self.rule.table} {self.rule.chain}: {UNREADABLE}"
        destination = _ends(self.before)[1] != _ends(self.after)[1]
        word = "DNAT" if destination else "masqueraded" if "masquerade" in self.rule.text.lower() else "SNAT"
        service = SERVICE.search(comment_of(self.rule.text))
        return f"{word} by {self.rule.chain}" + (f" for {service[0]}" if service else "")


@dataclass(frozen=True, slots=True)
class Passage:
    """One packet's way through one namespace."""

    where: str
    direction: str
    stays: tuple[Stay, ...]

    @property
    def stop(self) -> TraceStep | None:
        """The rule that ended it."""
        return next((stay.stop for stay in self.stays if stay.stop), None)

    @property
    def last(self) -> Stay:
        """The last hook of the IP layer that it came to, or of the bridge where it came to no other."""
        return next((stay for stay in reversed(self.stays) if stay.layer == IP), self.stays[-1])

    @property
    def translations(self) -> tuple[Translation, ...]:
        """All that was translated on this way."""
        return tuple(stay.translation for stay in self.stays if stay.translation)


@dataclass(frozen=True, slots=True)
class PacketPath:
    """The packets of a walk that matter: the question, its answer, and an error that was sent instead."""

    question: tuple[Passage, ...]  # through the asking pod, the node and the asked pod, as far as they filter
    answer: tuple[Passage, ...]
    error: tuple[Passage, ...]
    later: tuple[Passage, ...]  # a later packet of the flow that was stopped where its first was not

    @property
    def stop(self) -> TraceStep | None:
        """The rule that ended one of them."""
        return next((p.stop for p in (*self.question, *self.answer, *self.later) if p.stop), None)

    @property
    def on_node(self) -> Passage | None:
        """The question's way through the node itself."""
        return next((p for p in self.question if p.where == NODE), None)

    @property
    def back_on_node(self) -> Passage | None:
        """The answer's way through the node itself."""
        return next((p for p in self.answer if p.where == NODE), None)


def way_of(walk: Walk) -> PacketPath:
    """The walk in order: the first packet of each kind, and any other that was stopped."""
    question = tuple(_first(walk, REQUEST))
    answer = tuple(_first(walk, REPLY))[::-1]
    later: tuple[Passage, ...] = ()
    if walk.stop and not any(p.stop for p in (*question, *answer)):
        whole = (*_passages(walk, REQUEST), *_passages(walk, REPLY))
        later = tuple(p for p in whole if p.stop)[:1]
    errors = tuple(p for p in _first(walk, ERROR_MESSAGE) if not p.stays[0].before.icmp.startswith(REDIRECT))
    return PacketPath(question, answer, errors, later)


def _first(walk: Walk, direction: str) -> Iterator[Passage]:
    """The first packet in each namespace."""
    seen = set()
    for passage in _passages(walk, direction):
        if passage.where not in seen:
            seen.add(passage.where)
            yield passage


def _passages(walk: Walk, direction: str) -> Iterator[Passage]:
    steps = [step for step in walk.steps if step.direction == direction]
    for where in dict.fromkeys(step.where for step in steps):
        for stays in _packets(step for step in steps if step.where == where):
            yield Passage(where, direction, tuple(stay.done() for stay in stays))


@dataclass
class _Open:
    """A stay while its steps come in."""

    first: TraceStep
    layer: str
    hook: str
    reached: int
    last: Packet
    steps: list[TraceStep] = field(default_factory=list)

    def goes_on(self, hook: str, priority: int) -> bool:
        """Whether a bracket is a later one of this hook."""
        return self.hook == hook and priority > self.reached

    def done(self) -> Stay:
        return Stay(
            self.first.where,
            self.layer,
            self.hook,
            self.first.interface_in,
            self.first.interface_out,
            self.first.packet,
            self.last,
            tuple(rules_of(self.steps)),
            self.reached,
        )


def _packets(steps: Iterable[TraceStep]) -> Iterator[list[_Open]]:
    """The stays of each packet. A bridge shows its packets to the IP layer's hooks in the middle of its own."""
    stays: list[_Open] = []
    now: dict[str, _Open] = {}
    for step in steps:
        layer = LAYERS.get(step.family, IP)
        hook, priority = _place_of(step)
        stay = now.get(layer)
        enters = step.is_bracket and not (stay and stay.goes_on(hook, priority))
        if stays and _is_another(step, layer, hook, stays, enters=enters):
            yield stays
            stays, now, stay = [], {}, None
        if stay is None or enters:
            stay = _Open(step, layer, hook if step.is_bracket else "ingress", -1000, step.packet)
            now[layer] = stay
            stays.append(stay)
        stay.last = step.packet
        if step.is_bracket:
            stay.reached = priority
        else:
            stay.steps.append(step)
    if stays:
        yield stays


def _place_of(step: TraceStep) -> tuple[str, int]:
    """The hook of a bracket and its priority; of another step its chain."""
    if not step.is_bracket:
        return step.chain, 0
    hook, _, priority = step.chain.partition(" ")
    return hook, int(priority)


def _is_another(step: TraceStep, layer: str, hook: str, stays: list[_Open], *, enters: bool) -> bool:
    """Whether a step is of a different packet from these stays'; `enters`: it comes to a hook."""
    if enters:
        return _begins(step, layer, hook, stays)
    return layer == DEVICE and stays[-1].layer != DEVICE


def _begins(step: TraceStep, layer: str, hook: str, stays: list[_Open]) -> bool:
    """Whether another packet begins here, or this one comes to its next hook."""
    before = stays[-1]
    if hook == "output":
        return layer == IP
    if hook != "prerouting" or before.layer == DEVICE:
        return False
    if layer == BRIDGE:
        return True
    looped = step.interface_in == "lo" and before.hook == "postrouting"
    return not looped and not (before.layer == BRIDGE and before.hook in ("prerouting", "input"))


def _translates(step: TraceStep) -> bool:
    return bool(re.search(r"dnat|snat|masquerade|redirect|netmap", step.text, re.IGNORECASE))


def _ends(packet: Packet) -> tuple[tuple[str, int], tuple[str, int]]:
    return (packet.source, packet.source_port), (packet.destination, packet.destination_port)


def end_text(address: str, port: int) -> str:
    """An address with its port, as URLs have them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
