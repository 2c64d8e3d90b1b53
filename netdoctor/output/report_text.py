"""The report for a person: the cause first, then what it explains and what to do, then the probes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import Diagnosis, Evidence, Finding, Outcome, Report, Result, Severity
from netdoctor.redact import one_line

WIDTH_WITHOUT_TERMINAL = 110
SIGNS = {
    Outcome.PASS: ("✓", "green"),
    Outcome.FAIL: ("✗", "red"),
    Outcome.UNKNOWN: ("?", "yellow"),
    Outcome.BLOCKED: ("?", "yellow"),
    Outcome.NOT_APPLICABLE: ("–", "dim"),
}


def console(stderr: bool = False) -> Console:
    """A console that knows whether it writes to a terminal; NO_COLOR is rich's own business."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def rendered(thing: RenderableType, width: int, colors: bool) -> str:
    """The thing as text, for a terminal of so many columns that is elsewhere."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colors, highlight=False, soft_wrap=False).print(thing)
    return out.getvalue()


def render(report: Report, catalogue: Catalogue) -> RenderableType:
    """The whole report."""
    parts: list[RenderableType] = [_hanging(_heading(report))]
    parts += [_hanging(Text(f"kubeconfig {one_line(report.kubeconfig)}", style="dim"))] if report.kubeconfig else []
    parts += [_hanging(Text(f"! {one_line(notice)}", style="yellow")) for notice in report.notices]
    parts.append(Text(""))
    for number, diagnosis in enumerate(report.diagnoses):
        shown = {finding for earlier in report.diagnoses[:number] for finding in earlier.symptoms}
        parts += [*_diagnosis(diagnosis, catalogue, shown, first=number == 0), Text("")]
    if report.exit_code != 1:
        parts += [_no_cause(report), Text("")]
    parts.append(_probes(list(report.results)))
    if report.changes:
        parts.append(Text("changed by netdoctor, not taken back:", style="bold"))
        parts += [
            _indented(Text(f"{made.remedy}: {one_line(made.change)} (run {made.run})")) for made in report.changes
        ]
    return _indented(Group(*parts), 0)


def _heading(report: Report) -> Text:
    said = f"{report.tool} · node {one_line(report.node)} · {report.asked_from} · {report.seconds:.1f} s"
    return Text(said, style="dim")


def _no_cause(report: Report) -> Text:
    if report.exit_code == 3:
        return Text("COULD NOT TELL  no fault was found, but not everything could be asked", style="bold yellow")
    if report.diagnoses:
        return Text("HEALTHY  nothing but warnings", style="bold green")
    return Text("HEALTHY  no fault found", style="bold green")


def _diagnosis(
    diagnosis: Diagnosis, catalogue: Catalogue, shown: set[Finding], *, first: bool
) -> Iterable[RenderableType]:
    cause = diagnosis.cause
    if cause.severity is Severity.WARNING:
        word, style = "WARNING", "bold yellow"
    elif diagnosis.unexplained:
        word, style = "UNEXPLAINED", "bold red"
    else:
        word, style = "CAUSE" if first else "AND ALSO", "bold red"
    yield _hanging(Text.assemble((f"{word}  ", style), (one_line(cause.summary), "bold")))
    confidence = "" if diagnosis.unexplained else f", {cause.confidence}"
    subject = f", {cause.subject}" if str(cause.subject) else ""
    since = f", since {cause.since}" if cause.since else ""
    yield _indented(Text(one_line(f"{cause.probe}{confidence}{subject}{since}"), style="dim"))
    yield _indented(_evidence(cause.evidence))
    if diagnosis.symptoms:
        yield _indented(Text("explains", style="bold"))
        yield _indented(_explained(diagnosis.symptoms, catalogue, shown), 4)
    yield from _next(diagnosis, catalogue)


def _evidence(evidence: Iterable[Evidence]) -> Group:
    return Group(
        *(
            Text.assemble(
                f"{one_line(item.source)}: ",
                (one_line(item.observed), "bold"),
                (f"  (wanted: {one_line(item.expected)})", "dim"),
            )
            for item in evidence
        )
    )


def _explained(findings: Iterable[Finding], catalogue: Catalogue, shown: set[Finding]) -> Group:
    """What a cause explains, each in a line; what an earlier cause explains as well, by name."""
    lines = []
    for finding in findings:
        if finding not in shown:
            sign = "·" if catalogue.probes[finding.probe].symptom else "→"
            lines.append(Text.assemble(f"{sign} {one_line(finding.summary)} ", (f"({finding.probe})", "dim")))
    if again := [finding.probe for finding in findings if finding in shown]:
        lines.append(Text(f"· as well as the above: {', '.join(again)}", style="dim"))
    return Group(*lines)


def _next(diagnosis: Diagnosis, catalogue: Catalogue) -> Iterable[RenderableType]:
    yield _indented(Text("next", style="bold"))
    if diagnosis.remedies:
        yield _indented(Text("sudo netdoctor fix --dry-run"), 4)
        for name in diagnosis.remedies:
            yield _indented(Text(f"{name}: {catalogue.remedies[name].title}", style="dim"), 6)
    yield _indented(Text(f"netdoctor explain {diagnosis.cause.probe}"), 4)


def _probes(results: Iterable[Result]) -> RenderableType:
    by_outcome = {outcome: [r for r in results if r.outcome is outcome] for outcome in SIGNS}
    counts = ", ".join(f"{len(found)} {outcome}" for outcome, found in by_outcome.items() if found)
    lines: list[RenderableType] = [Text(f"probes: {counts}", style="bold")]
    for outcome, found in by_outcome.items():
        lines += _probes_of(outcome, found)
    return Group(*lines)


def _probes_of(outcome: Outcome, found: list[Result]) -> Iterable[RenderableType]:
    """The probes of one outcome: in one line where they have been answered, else one line for each reason."""
    sign, style = SIGNS[outcome]
    if outcome in (Outcome.PASS, Outcome.FAIL):
        if found:
            yield _indented(Text(f"{sign} {', '.join(r.probe for r in found)}", style))
        return
    for reason in dict.fromkeys(r.reason for r in found):
        names = ", ".join(r.probe for r in found if r.reason == reason)
        yield _indented(Text.assemble((f"{sign} {names}", style), f"  {one_line(reason)}"))


@dataclass(frozen=True)
class _Indented:
    """Indents, and leaves no space at a line's end: rich's own Padding fills lines up to the right edge."""

    content: RenderableType
    by: int
    first: bool = True  # whether the first line is indented too

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        inner = options.update(width=options.max_width - self.by)
        for number, line in enumerate(console.render_lines(self.content, inner, pad=False)):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                text, style, control = line.pop()
                by = self.by if number or self.first else 0
                yield from (Segment(" " * by), *line, Segment(text.rstrip(), style, control))
            yield Segment.line()


def _hanging(content: RenderableType) -> _Indented:
    """A text that goes on indented: what somebody else wrote begins no line, wherever it is broken."""
    return _Indented(content, 2, first=False)


def _indented(content: RenderableType, by: int = 2) -> _Indented:
    return _Indented(content, by)
