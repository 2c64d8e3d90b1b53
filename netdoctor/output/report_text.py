"""The report for a person: one line for each area, then the causes and what to type next. The verdict comes last."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from rich.console import Group, RenderableType
from rich.text import Text

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import UNASKED, Diagnosis, Outcome, Report, Severity
from netdoctor.output.area_lines import area_lines
from netdoctor.output.console import WORDS, hanging_line
from netdoctor.output.diagnosis_text import details, headline
from netdoctor.output.layout import hanging
from netdoctor.output.report_details import all_details
from netdoctor.output.unasked_text import cannot_check, without_node
from netdoctor.redact import one_line

WHOLE = 2  # diagnoses shown with all their fields; of further ones the headline
REASONS = 4  # reasons why something could not be asked


class Detail(Enum):
    """How much of the report is shown."""

    VERDICT = "verdict"
    SUMMARY = "summary"
    ALL = "all"


def render(report: Report, catalogue: Catalogue, detail: Detail = Detail.SUMMARY) -> RenderableType:
    """The report: its verdict alone, what a tired person needs, or all of it before that."""
    parts: list[RenderableType] = []
    if detail is Detail.VERDICT:
        parts = [*_verdict(report)]
    elif not any(result.outcome not in UNASKED for result in report.results):
        parts = [_head(report), Text(""), *_cannot_check(report)]
    else:
        if detail is Detail.ALL:
            parts += [*all_details(report, catalogue)]
        parts += [_head(report), Text(""), *area_lines(report, catalogue), *_notices(report), Text("")]
        parts += [*_diagnoses(report, catalogue), *_end(report, hint=detail is Detail.SUMMARY)]
    return Group(*parts)


def _head(report: Report) -> RenderableType:
    node = f"recording of node {report.node}" if report.recorded else f"node {report.node}"
    return hanging(Text(" · ".join([one_line(node), *map(one_line, report.about)]), style="dim"))


def _notices(report: Report) -> Iterator[RenderableType]:
    for notice in report.notices:
        yield hanging(Text.assemble(("  ! ", "yellow"), one_line(notice)), 4, at_most=2)
    if report.changes:
        count = len(report.changes)
        changes = "1 change" if count == 1 else f"{count} changes"
        yield hanging(Text(f"  ! {changes} by netdoctor in force here: sudo netdoctor undo --list shows them"), 4)


def causes_of(report: Report) -> list[Diagnosis]:
    """The diagnoses that name a cause which makes the node faulty."""
    return [each for each in report.diagnoses if each.cause.severity is Severity.ERROR and not each.unexplained]


def _diagnoses(report: Report, catalogue: Catalogue) -> Iterator[RenderableType]:
    """Warnings, then the causes, then what no cause explains; the first of these with all their fields."""
    causes = causes_of(report)
    warnings = [each for each in report.diagnoses if each.cause.severity is Severity.WARNING]
    unexplained = [each for each in report.diagnoses if each.unexplained and each not in warnings]
    whole = [*causes, *unexplained, *warnings][:WHOLE]
    for diagnosis in [*warnings, *causes, *unexplained]:
        number = causes.index(diagnosis) + 1 if len(causes) > 1 and diagnosis in causes else 0
        yield headline(diagnosis, number)
        if diagnosis in whole:
            yield from _fields(diagnosis, whole, report, catalogue)
        yield Text("")


def _fields(
    diagnosis: Diagnosis, whole: list[Diagnosis], report: Report, catalogue: Catalogue
) -> Iterator[RenderableType]:
    """The fields of one of those that are shown whole: the last repairable one has the command that repairs all."""
    repairable = [each for each in whole if each.remedies]
    yield from details(
        diagnosis,
        catalogue,
        recorded=report.recorded,
        fix=len(repairable) if diagnosis in repairable[-1:] else 0,
        see=diagnosis is whole[-1],
    )


def _verdict(report: Report) -> Iterator[RenderableType]:
    if report.exit_code == 1:
        errors = [each for each in report.diagnoses if each.cause.severity is Severity.ERROR]
        for number, diagnosis in enumerate(errors, 1):
            yield headline(diagnosis, number if len(errors) > 1 and not diagnosis.unexplained else 0)
    else:
        yield _no_cause(report)


def no_cause(report: Report) -> tuple[str, str]:
    """The verdict where no cause is named: its word, and the sentence after it."""
    count = _count(report, Outcome.PASS)
    if report.exit_code == 3:
        unasked = _count(report, *UNASKED)
        return "COULD NOT TELL", f"no fault was found, but {unasked} of {unasked + count} checks could not be made"
    warned = "nothing but warnings: " if report.diagnoses else ""
    beside = _count(report, Outcome.NOT_APPLICABLE)
    rest = f"; {beside} do not apply here" if beside else ""
    took = "" if report.recorded else f" in {report.seconds:.1f} s"
    return "HEALTHY", f"{warned}{count} checks passed{took}{rest}"


def _no_cause(report: Report, *, hint: bool = False) -> RenderableType:
    """The verdict where no cause is named; `hint`: also how to see more."""
    word, text = no_cause(report)
    more = "  (-v lists all)" if hint and word == "HEALTHY" else ""
    return hanging(Text.assemble((f"{word}  ", WORDS[word]), text, (more, "dim")))


def _end(report: Report, *, hint: bool) -> Iterator[RenderableType]:
    """The verdict, or what the causes above explain; `hint`: also how to see more."""
    if report.exit_code != 1:
        yield _no_cause(report, hint=hint)
        if report.exit_code == 3:
            yield from _reasons(report)
        return
    words = [explained(report)]
    if unasked := _count(report, *UNASKED):
        words.append(f"{unasked} not tested")
    if not report.recorded:
        words.append(f"{report.seconds:.1f} s")
    yield hanging(Text(" · ".join([*words, "-v shows more"] if hint else words), style="dim"))


def explained(report: Report) -> str:
    """How many causes explain how many other failing checks."""
    causes, failing = causes_of(report), _count(report, Outcome.FAIL)
    if not causes:
        return "1 failing check" if failing == 1 else f"{failing} failing checks"
    explained = {finding.probe for each in causes for finding in each.symptoms}
    if not explained:
        return "1 cause" if len(causes) == 1 else f"{len(causes)} causes"
    count = "1 cause explains" if len(causes) == 1 else f"{len(causes)} causes explain"
    return f"{count} {len(explained)} other failing check{'' if len(explained) == 1 else 's'}"


def reasons(report: Report) -> list[str]:
    """Why checks could not be made, each reason once."""
    told = dict.fromkeys(one_line(r.reason) for r in report.results if r.outcome is Outcome.UNKNOWN)
    return [reason for reason in told if not any(other in reason and other != reason for other in told)]


def _reasons(report: Report) -> Iterator[RenderableType]:
    """The first reasons, and how many more there are."""
    found = reasons(report)
    for reason in found[:REASONS]:
        yield hanging(Text(f"  {reason}"), 4, at_most=3)
    if len(found) > REASONS:
        yield Text(f"  and {len(found) - REASONS} more reasons (-v lists all)", style="dim")


def _cannot_check(report: Report) -> Iterator[RenderableType]:
    """A machine of which nothing could be asked: most likely not a node."""
    why = without_node(result.reason for result in report.results)
    if why:
        yield from map(hanging_line, cannot_check(why, "check"))
    else:
        yield _no_cause(report)
        yield from _reasons(report)
        yield Text("")
    yield hanging(Text("no node at hand? judge a recording: netdoctor check --facts FILE"))


def _count(report: Report, *outcomes: Outcome) -> int:
    return sum(result.outcome in outcomes for result in report.results)
