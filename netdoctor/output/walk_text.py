"""A traced flow for a person: hook by hook, the rules that mattered there, and in the last line how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from netdoctor.output.indented import Indented
from netdoctor.output.layout import hanging
from netdoctor.redact import one_line
from netdoctor.tracing.packet_path import BRIDGE, IP, Passage, Stay, Translation, end_text
from netdoctor.tracing.rules import Rules, ends
from netdoctor.tracing.traced import Fate, Traced, number_of, pod_at
from netdoctor.twin.routes import leading_to
from netdoctor.twin.rule_words import UNREADABLE, purpose, rule_words
from netdoctor.twin.twin import NODE, OUTSIDE
from netdoctor.twin.walk import TraceStep

WIDTH = 20  # of the column with the hooks' names
NAMED = 4  # so many chains are named; of more only the number is told
STYLES = {Fate.ARRIVED: "bold green", Fate.STOPPED: "bold red", Fate.LOST: "bold red"}
WORDS = {
    "bridge prerouting": "a frame comes into the bridge",
    "bridge input": "up to the node's IP layer",
    "bridge forward": "from port to port",
    "bridge output": "down into the bridge",
    "bridge postrouting": "leaves by a bridge port",
    "prerouting": "before routing",
    "forward": "through the node",
    "input": "to a program of the node",
    "output": "from a program",
    "postrouting": "after routing, on its way out",
}
VERDICT = re.compile(r" ?(?:-j (?:ACCEPT|DROP|RETURN)|\b(?:accept|drop))$")
MASQUERADE_MARK = "KUBE-MARK-MASQ"


def render(traced: Traced, *, verbose: bool = False) -> RenderableType:
    """The whole walk; `verbose`: also every step of every packet, as the kernel told it."""
    parts: list[RenderableType] = [hanging(Text(one_line(heading(traced)), style="bold"))]
    where = f" of node {traced.node}" if traced.node else ""
    parts.append(hanging(Text(one_line(f"followed through a copy{where}: nothing on it is touched"), style="dim")))
    parts += [hanging(Text(f"! {one_line(notice)}", style="yellow")) for notice in notices(traced)]
    parts.append(Text(""))
    for passage in traced.way.question:
        parts += _passage(passage, traced)
    if traced.ending.arrived:
        parts.append(_row("the far end", _far_end(traced), "", "bold cyan"))
    for name, passages in (
        ("the answer", traced.way.answer),
        ("an error", traced.way.error),
        ("a later packet", traced.way.later),
    ):
        for passage in passages:
            parts += _in_short(name, passage)
    parts += [Text(""), hanging(_ending(traced))]
    if verbose:
        parts += [Text(""), Text("every step", style="bold"), *_steps(traced)]
        parts.append(hanging(Text(one_line(traced.state.not_set_in_words), style="dim")))
    return Indented(Group(*parts), 0)


def notices(traced: Traced) -> Iterator[str]:
    """What the copy does not show."""
    yield from traced.lacking
    if programs := traced.state.node.programs:
        yield f"not in the copy, and may drop packets: {', '.join(programs)}"


def heading(traced: Traced) -> str:
    """The flow in one line, with the names of its ends."""
    names = [
        f"{end.label} ({end.address})" if end.address and end.label else end.label or end.address
        for end in (traced.source, traced.target)
    ]
    return f"{names[0]} → {names[1]}, port {traced.target.port}/{traced.walk.flow.protocol}"


def _far_end(traced: Traced) -> str:
    last = traced.way.question[-1].stays[-1].after if traced.way.question else None
    if last is None:
        return traced.target.address
    name = pod_at(traced.state, last.destination)
    return end_text(last.destination, last.destination_port) + (f" (pod {name})" if name else "")


def _row(name: str, words: str, dim: str, style: str = "bold") -> Text:
    return Text.assemble(
        (f"{one_line(name):{WIDTH}}", style), one_line(words), (f"  {one_line(dim)}" if dim else "", "dim")
    )


def _passage(passage: Passage, traced: Traced) -> Iterator[RenderableType]:
    first = passage.stays[0].before
    if passage.where == NODE:
        whence = {NODE: "a program", OUTSIDE: "outside"}.get(traced.walk.flow.source, "the pod")
    else:
        whence = f"in pod {passage.where}"
    packet = f"{end_text(first.source, first.source_port)} → {end_text(first.destination, first.destination_port)}"
    yield _row(whence, packet, "", "bold cyan")
    before: Stay | None = None
    for stay in passage.stays:
        if decision := _routing(stay, before, traced):
            yield _row("routing", decision, "", "cyan")
        yield _row(stay.name, stay.interfaces, _words(stay, before), "bold red" if stay.stop else "bold cyan")
        for line in _inside(stay):
            yield Indented(line, 4)
        before = stay


def _bridged(stay: Stay, before: Stay | None) -> bool:
    """Whether these are the IP layer's rules on a packet that the bridge passes on."""
    nested = stay.hook in ("prerouting", "forward", "postrouting") and stay.layer == IP
    return nested and before is not None and before.layer == BRIDGE and before.hook == stay.hook


def _words(stay: Stay, before: Stay | None) -> str:
    if _bridged(stay, before):
        return "iptables sees bridged packets too"
    return WORDS.get(stay.name, "")


def _routing(stay: Stay, before: Stay | None, traced: Traced) -> str:
    """What routing decided between two hooks, as far as the next hook and its interface tell."""
    if stay.layer != IP or stay.hook not in ("forward", "input") or _bridged(stay, before):
        return ""
    if stay.hook == "input":
        return f"{stay.before.destination} is this node's own"
    node = traced.state.node
    devices = {link.name: link.index for link in node.interfaces()}
    found = leading_to(node, stay.before.destination)
    route = next((r for r in found if r.device == devices.get(stay.interface_out)), None)
    words = f"{stay.before.destination} is reached by {stay.interface_out}"
    return f"{words} ({route.text(node).replace(f' dev {stay.interface_out}', '')})" if route else words


def _inside(stay: Stay) -> Iterator[Text]:
    """The rules of a hook that mattered; chains that did nothing in one line for each table."""
    translation = stay.translation
    for rules in stay.rules:
        shown = [step for step in rules.effects if not step.is_policy]
        if translation and translation.rule in shown:
            shown.remove(translation.rule)
            yield from _marks(shown)
            yield from _translation(translation)
            yield Text(one_line(f"{rules.table}: {' → '.join(rules.path)}"), style="dim")
            translation = None
            continue
        yield from _decided(rules, shown)
    if translation:
        yield from _translation(translation)


def _decided(rules: Rules, shown: list[TraceStep]) -> Iterator[Text]:
    """What the rules of one table did where they translated nothing: marks, idle chains, and the verdict."""
    yield from _marks(shown)
    if len(rules.chains) > 1 or not shown:
        yield Text(one_line(_folded(rules, [step.chain for step in shown])), style="dim")
    for step in shown:
        if ends(step):
            yield _verdict(step)
    if rules.effects and rules.effects[-1].verdict == "policy drop":
        yield _verdict(rules.effects[-1])


def _marks(shown: list[TraceStep]) -> Iterator[Text]:
    for step in shown:
        if not ends(step):
            why = "to be masqueraded in postrouting" if step.chain == MASQUERADE_MARK else purpose(step.text)
            place = f"{step.family} {step.table} {step.chain}: {rule_words(step.text)}"
            yield Text.assemble(one_line(place), (f"  {one_line(why)}", "dim"))


def _folded(rules: Rules, but: list[str]) -> str:
    """The chains that only led on."""
    idle = [chain for chain in rules.chains[1:] if chain not in but]
    words = f"{rules.family} {rules.table} {rules.chains[0]}"
    if idle:
        led = ", ".join(idle) if len(idle) <= NAMED else f"{len(idle)} chains"
        words += f": {led}, no matching rule"
    policy = rules.effects[-1].verdict if rules.effects else ""
    return f"{words}: {policy}" if policy == "policy accept" and not idle else words


def _verdict(step: TraceStep) -> Text:
    place = f"{step.family} {step.table} {step.chain}"
    if step.is_policy:
        return Text(one_line(f"{place}: its policy is drop"), style="bold red")
    rule = rule_words(step.text)
    why = purpose(step.text)
    words = f"{place}, {number_of(step)}, {_verb(step)}"
    if not rule:
        return Text(one_line(f"{words}: {UNREADABLE}"), style="bold red" if step.drops else "")
    if step.drops:
        return Text(one_line(f"{words}: {rule}"), style="bold red")
    return Text.assemble(one_line(f"{words}: {VERDICT.sub('', rule) or 'everything'}"), (f"  {one_line(why)}", "dim"))


def _verb(step: TraceStep) -> str:
    if step.drops:
        return "rejects it" if "reject" in step.text.lower() else "drops it"
    return "accepts it" if step.verdict == "accept" else "hands it to a program"


def _translation(translation: Translation) -> Iterator[Text]:
    for old, new in translation.changes():
        yield Text.assemble((one_line(f"{old} → {new}"), "bold magenta"), (f"  ({one_line(translation.by)})"))


def _in_short(name: str, passage: Passage) -> Iterator[RenderableType]:
    """Another packet's way: its hooks, what was translated, and where it was stopped."""
    first = passage.stays[0].before
    if first.icmp:
        packet = f"ICMP {first.icmp} from {first.source} to {first.destination}"
    else:
        source, target = (first.source, first.source_port), (first.destination, first.destination_port)
        packet = f"{end_text(*source)} → {end_text(*target)}"
    where = "" if passage.where == NODE else f" in pod {passage.where}"
    yield Text("")
    yield _row(f"{name}{where}", packet, "", "bold cyan")
    yield Indented(Text(" → ".join(stay.name for stay in passage.stays)), 4)
    for translation in passage.translations:
        for line in _translation(translation):
            yield Indented(line, 4)
    if passage.stop:
        yield Indented(_verdict(passage.stop), 4)


def _ending(traced: Traced) -> Text:
    word = traced.ending.word
    return Text.assemble((f"{word} ", STYLES[word]), (one_line(traced.ending.text), "bold"))


def _steps(traced: Traced) -> Iterator[RenderableType]:
    packet = ""
    for step in traced.walk.steps:
        now = f"{'' if step.where == NODE else f'pod {step.where}: '}{step.direction} {step.packet}"
        if now != packet:
            packet = now
            yield hanging(Text(one_line(now), style="cyan"))
        interfaces = f"{step.interface_in} → {step.interface_out}".strip()
        if step.is_bracket:
            yield Indented(Text(one_line(f"{step.family} {step.chain}  {interfaces}"), style="dim"))
            continue
        handle = f" handle {step.handle}" if step.handle else ""
        text = f"{step.family} {step.table} {step.chain}{handle}: {step.verdict}"
        said = step.text if step.text not in (step.verdict, "") else ""
        yield Indented(Text(one_line(f"{text}  {said}".rstrip()), style="bold red" if step.drops else ""))
