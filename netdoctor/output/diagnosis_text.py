"""A cause as a person reads it: what it is, where it was found, how it was proved, and what to type next."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import Confidence, Diagnosis, Evidence, Severity
from netdoctor.output.console import WORDS
from netdoctor.output.layout import LABEL, command_field, field, hanging
from netdoctor.redact import one_line

COPY = "copy of the node"  # how evidence of experiments begins; the proof says it in one sentence
BY_HAND = re.compile(r"^## By hand\n(.*?)(?=\n## |\Z)", re.MULTILINE | re.DOTALL)
FIX = "sudo netdoctor fix --dry-run"


def headline(diagnosis: Diagnosis, number: int = 0) -> RenderableType:
    """The cause in one sentence; `number` tells several apart."""
    if diagnosis.cause.severity is Severity.WARNING:
        word = "WARNING"
    else:
        word = "UNEXPLAINED" if diagnosis.unexplained else "CAUSE"
    begin = f"{word} {number}  " if number else f"{word}  "
    summary = " ".join(one_line(diagnosis.cause.summary).split())
    return hanging(Text.assemble((begin, WORDS[word]), (summary, "bold")), LABEL)  # deeper than where fields begin


def details(
    diagnosis: Diagnosis, catalogue: Catalogue, *, recorded: bool, fix: int, see: bool
) -> Iterator[RenderableType]:
    """The fields under the headline.

    `fix`: how many causes the repair's command is for, 0 where it stands under another one. `see`: whether the trace's
    command belongs here.
    """
    cause = diagnosis.cause
    if seen := found(diagnosis):
        yield field("found", seen, at_most=2)
    if diagnosis.proof:
        yield field("proof", one_line(diagnosis.proof), at_most=3)
    elif cause.confidence is Confidence.LIKELY and not diagnosis.unexplained:
        yield field("sure", "no: likely by what was found; neither traffic nor a copy of the node shows it")
    yield from next_step(diagnosis, catalogue, recorded=recorded, fix=fix)
    yield command_field("why", f"netdoctor explain {cause.probe}")
    if see and diagnosis.see and cause.severity is Severity.ERROR:
        yield command_field("see", f"sudo netdoctor trace {one_line(diagnosis.see)}", before=_where(recorded))


def _where(recorded: bool) -> str:
    return "on the node: " if recorded else ""


def _together(causes: int) -> str:
    """For how many causes a command is, where there is more than one."""
    if causes < 2:
        return ""
    return "both causes: " if causes == 2 else f"{causes} causes: "


def found(diagnosis: Diagnosis) -> str:
    """The first thing that was observed, and what was expected; "" where the headline says it all."""
    own = [item for item in diagnosis.cause.evidence if not item.source.startswith(COPY)]
    return in_words(own[0]) if own else ""


def in_words(item: Evidence) -> str:
    """Evidence as one line: where, what, and what a healthy node shows there."""
    return one_line(f"{item.source}: {item.observed} (expected: {item.expected})")


def next_step(diagnosis: Diagnosis, catalogue: Catalogue, *, recorded: bool, fix: int) -> Iterator[RenderableType]:
    """What to type next: the repair, the commands with the values found, or what the page says.

    One command repairs all causes: it stands under the last one, with their number (`fix`), and under no other.
    """
    if diagnosis.remedies:
        if fix:
            after = "  (shows it, changes nothing)" if fix == 1 else ""
            yield command_field("fix", FIX, before=f"{_together(fix)}{_where(recorded)}", after=after)
    elif diagnosis.cause.by_hand:
        for number, line in enumerate(diagnosis.cause.by_hand):
            yield command_field("" if number else "fix", one_line(line), before="" if number else _where(recorded))
    elif page := BY_HAND.search(catalogue.probes[diagnosis.cause.probe].manual):
        words = " ".join(page[1].split())
        yield field("look", words, at_most=3) if diagnosis.unexplained else field("fix", f"by hand: {words}", at_most=3)
