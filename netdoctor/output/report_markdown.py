"""The report as Markdown that fits an issue: verdict, causes and what to type; all else is folded away below."""

from __future__ import annotations

from collections.abc import Iterator

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import Diagnosis, Evidence, Outcome, Report, Result
from netdoctor.output.area_lines import SIGN_OF, area_statements
from netdoctor.output.markdown import block, code, text
from netdoctor.output.report_words import (
    GROUPS,
    HELD,
    RECORD,
    REPLACES,
    Field,
    count,
    facts_of_run,
    fields,
    grouped,
    headed,
    observed,
    statement,
    summary,
    sure,
    tally,
    told,
    verdict,
    why_not_told,
)
from netdoctor.output.same_reason import by_reason

WHOLE = 2  # diagnoses that are shown with what to type; of further ones the headline, and the rest folded
COMMANDS = 4  # of one field before the fold; all of them are below it
NOTICES, REASONS, HEADLINES = 4, 4, 6


def render(report: Report, catalogue: Catalogue) -> str:
    """The report as the text of a Markdown file."""
    lines = [*_open(report, catalogue), *_folded(report, catalogue), f"{HELD}. {code(RECORD)} {REPLACES}."]
    return "\n".join(lines) + "\n"


def _open(report: Report, catalogue: Catalogue) -> Iterator[str]:
    """What is read without a click."""
    word, sentence = verdict(report)
    yield f"## netdoctor check: {word}"
    yield ""
    yield text(sentence)
    for reason in why_not_told(report)[:REASONS]:
        yield f"- {text(reason)}"
    yield ""
    found = headed(report)
    for name, diagnosis in found[:WHOLE]:
        yield from _diagnosis(name, diagnosis, report, catalogue)
    yield from _further(found[WHOLE:])
    areas = [(f"{SIGN_OF[outcome]} {area}", said) for area, outcome, said in area_statements(report, catalogue)]
    yield from _table(("area", "state"), areas)
    yield from _table(("this run", ""), list(facts_of_run(report)))
    yield from _notices(report)


def _diagnosis(name: str, diagnosis: Diagnosis, report: Report, catalogue: Catalogue) -> Iterator[str]:
    yield f"### {name}: {text(summary(diagnosis))}"
    yield ""
    if seen := observed(diagnosis):
        yield f"- **found** {_evidence(seen)}"
    for field in fields(diagnosis, report, catalogue):
        yield from _field(field)
    yield ""


def _field(field: Field) -> Iterator[str]:
    """A field with its one command in the line, or its commands in a block below it."""
    begin = f"- **{field.label}** {text(field.text)}".rstrip()
    if not field.commands:
        yield begin
    elif len(field.commands) == 1:
        yield f"{begin}{':' if field.text else ''} {code(field.commands[0])}"
    else:
        left = len(field.commands) - COMMANDS
        yield f"{begin}:" + (f" (and {left} more lines below)" if left > 0 else "")
        yield from block(field.commands[:COMMANDS], "  ")


def _further(found: list[tuple[str, Diagnosis]]) -> Iterator[str]:
    for name, diagnosis in found[:HEADLINES]:
        yield f"- **{name}** {text(summary(diagnosis))}"
    if len(found) > HEADLINES:
        yield f"- and {len(found) - HEADLINES} more below"
    if found:
        yield ""


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield f"| {head[0]} | {head[1]} |"
        yield "|---|---|"
        for label, value in rows:
            yield f"| {label} | {text(value)} |"
        yield ""


def _notices(report: Report) -> Iterator[str]:
    notices = [text(notice) for notice in report.notices]
    if report.changes:
        notices.append(f"{count(len(report.changes), 'change')} by netdoctor in force on this node")
    for notice in notices[:NOTICES]:
        yield f"- {notice}"
    if len(notices) > NOTICES:
        yield f"- and {count(len(notices) - NOTICES, 'more notice')} below"
    if notices:
        yield ""


def _folded(report: Report, catalogue: Catalogue) -> Iterator[str]:
    """The evidence of each diagnosis, the checks, and what else was noticed."""
    names: dict[tuple[str, ...], str] = {}  # who explains these checks
    for number, (name, diagnosis) in enumerate(headed(report)):
        seen, explained = len(diagnosis.cause.evidence), len(diagnosis.symptoms)
        also = f", {count(explained, 'failing check')} explained" if explained else ""
        checks = tuple(dict.fromkeys(finding.probe for finding in diagnosis.symptoms))
        first = names.setdefault(checks, name)
        what = f"the same checks as {first}" if first != name else ", ".join(map(code, checks))
        yield from _details(
            f"{name}: {count(seen, 'observation')}{also}",
            _all_of(diagnosis, report, catalogue, what if checks else "", repeat=number >= WHOLE),
        )
    title = f"{count(len(report.results), 'check')}: {tally(report)}"
    yield from _details(title, list(_checks(report, catalogue)))
    yield from _details("what else was noticed", list(_rest(report)))


def _checks(report: Report, catalogue: Catalogue) -> Iterator[str]:
    for number, (outcome, results) in enumerate(grouped(report).items()):
        yield from ([""] if number else [])
        yield from (f"**{GROUPS[outcome]}**", "")
        yield from _grouped(results, catalogue) if outcome is Outcome.NOT_APPLICABLE else _each(results, catalogue)


def _each(results: list[Result], catalogue: Catalogue) -> Iterator[str]:
    for result in results:
        yield f"- {text(statement(result, catalogue))} ({code(result.probe)})"


def _grouped(results: list[Result], catalogue: Catalogue) -> Iterator[str]:
    """Checks that do not apply: a reason that several have stands once."""
    for same in by_reason(results, catalogue):
        probes = ", ".join(map(code, same.probes))
        yield f"- {same.areas}: {text(same.reason)}: {count(len(same.probes), 'check')} ({probes})"


def _all_of(
    diagnosis: Diagnosis, report: Report, catalogue: Catalogue, explains: str, *, repeat: bool
) -> Iterator[str]:
    """All evidence, and which checks it explains; their sentences are in the list of checks.

    `repeat`: also what to type, and the commands that were too many above.
    """
    cause = diagnosis.cause
    since = text(f"since {cause.since}") if cause.since else ""
    yield ", ".join(filter(None, [code(cause.probe), sure(diagnosis), text(cause.subject), since]))
    yield ""
    for item in cause.evidence:
        yield f"- {_evidence(item)}"
    if explains:
        yield from ("", f"It explains {explains}.")
    told = [f for f in fields(diagnosis, report, catalogue) if repeat or len(f.commands) > COMMANDS]
    if told:
        yield ""
    for field in told:
        yield f"- **{field.label}** {text(field.text)}"
        if field.commands:
            yield from block(field.commands, "  ")


def _evidence(item: Evidence) -> str:
    observed, expected = told(item)
    return f"{code(item.source)}: {code(observed)}" + (f" (expected: {code(expected)})" if expected else "")


def _rest(report: Report) -> Iterator[str]:
    for notice in (*report.notices[NOTICES:], *report.remarks):
        yield f"- {text(notice)}"
    for made in report.changes:
        yield f"- in force: {text(made.change)} ({code(made.remedy)}, run {code(made.run)})"


def _details(title: str, lines: list[str] | Iterator[str]) -> Iterator[str]:
    """A part that is folded away; the title holds no foreign text."""
    content = list(lines)
    if content:
        yield from ("<details>", f"<summary>{title}</summary>", "", *content, "", "</details>", "")
