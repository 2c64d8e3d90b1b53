"""One line for each area of the report that exists: what works there, or what does not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import UNASKED, Area, Finding, Outcome, Report, Result, Severity
from netdoctor.output.console import SIGNS
from netdoctor.output.layout import labelled
from netdoctor.redact import one_line

SIGN_OF = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.UNKNOWN: "?",
    Outcome.BLOCKED: "?",
    Outcome.NOT_APPLICABLE: "–",
}
NAME = 10  # columns of an area's name
MORE = "; and 99 more"
SHOWN = 3  # statements in a line
BRACKETED = re.compile(r" \([^()]*\)")
ROOM = 66  # columns of a statement at 80 columns; a longer one gives way to the probe's title


def area_lines(report: Report, catalogue: Catalogue) -> Iterator[RenderableType]:
    """A line for each area of which something could be asked, in the order of Area."""
    for area, outcome, text in area_statements(report, catalogue):
        yield labelled(Text.assemble("  ", sign(outcome), f" {area}"), text, NAME + 4, at_most=1)


def area_statements(report: Report, catalogue: Catalogue) -> Iterator[tuple[Area, Outcome, str]]:
    """Each area of which something could be asked, how it is, and the sentence that says so."""
    causes = {diagnosis.cause.probe for diagnosis in report.diagnoses}
    by_area: dict[Area, list[Result]] = {area: [] for area in Area}
    for result in report.results:
        if result.outcome is not Outcome.NOT_APPLICABLE:
            by_area[catalogue.probes[result.probe].area].append(result)
    for area, found in by_area.items():
        if found:
            found.sort(key=lambda result: _rank(result, catalogue, causes))
            yield area, *_statement(found, catalogue)


def sign(outcome: Outcome) -> tuple[str, str]:
    """The sign of an outcome, and its style."""
    return SIGN_OF[outcome], SIGNS[SIGN_OF[outcome]]


def _rank(result: Result, catalogue: Catalogue, causes: set[str]) -> tuple[bool, bool, int, str]:
    """Causes first, then what users see, then what is said in few words."""
    probe = catalogue.probes[result.probe]
    return probe.name not in causes, not probe.symptom, len(probe.healthy), probe.name


def _statement(results: list[Result], catalogue: Catalogue) -> tuple[Outcome, str]:
    """How the area is, and the sentence that says so: what fails, else what could not be asked, else what works."""
    failing = _of(results, Outcome.FAIL)
    faulty = [result for result in failing if _is_error(result)]
    if faulty:
        return Outcome.FAIL, _joined([short(result.findings[0], catalogue) for result in faulty])
    if unasked := _of(results, *UNASKED):
        first = catalogue.probes[unasked[0].probe].healthy_title
        return Outcome.UNKNOWN, f"not tested: {_joined([f'whether {first}'], len(unasked))}"
    if failing:  # warnings alone
        return Outcome.UNKNOWN, _joined([short(result.findings[0], catalogue) for result in failing])
    return Outcome.PASS, _joined([catalogue.probes[result.probe].healthy_title for result in results])


def _of(results: list[Result], *outcomes: Outcome) -> list[Result]:
    return [result for result in results if result.outcome in outcomes]


def _is_error(result: Result) -> bool:
    return any(finding.severity is Severity.ERROR for finding in result.findings)


def _joined(statements: list[str], count: int = 0) -> str:
    """The first statements that fit into the line, and how many more there are of `count`, or of the statements."""
    shown: list[str] = []
    for statement in statements[:SHOWN]:
        if shown and len("; ".join([*shown, statement])) > ROOM - len(MORE):
            break
        shown.append(statement)
    more = (count or len(statements)) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown)


def short(finding: Finding, catalogue: Catalogue) -> str:
    """The finding's main clause where it fits into a line, else its probe's title."""
    clause = BRACKETED.sub("", one_line(finding.summary))
    for end in ("; ", ": "):
        clause = clause.partition(end)[0]
    if len(clause) > ROOM - len(MORE):
        clause = clause.partition(", ")[0]
    if len(clause) <= ROOM - len(MORE):
        return clause
    title = catalogue.probes[finding.probe].title
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
