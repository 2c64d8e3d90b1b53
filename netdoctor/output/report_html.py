"""The report as one HTML file that needs nothing else: no script, no network, for every width, light and dark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.traced_cause import TracedCause
from netdoctor.model import Diagnosis, Evidence, Outcome, Report, Result
from netdoctor.output import html_parts as part
from netdoctor.output.area_lines import SIGN_OF, area_statements
from netdoctor.output.html_pictures import path_section
from netdoctor.output.html_style import CSS
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

KINDS = {"FAULTY": "bad", "HEALTHY": "good"}  # of a verdict; others are warnings
CLASSES = {Outcome.PASS: "good", Outcome.FAIL: "bad"}
HASH = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{HASH}'; base-uri 'none'; form-action 'none'"


def render(report: Report, catalogue: Catalogue, traced: TracedCause | str) -> str:
    """The report as the text of an HTML file; `traced`: a failing flow, or why there is none."""
    word, _ = verdict(report)
    sections = [
        part.section("causes", _causes_title(report), "".join(_diagnoses(report, catalogue))),
        path_section(traced, report) if report.exit_code == 1 else "",
        part.section("areas", "Areas", _areas(report, catalogue)),
        part.section("checks", f"Checks: {tally(report)}", _checks(report, catalogue)),
        part.section("run", "This run", _run(report)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{word}: node {part.text(report.node)} - netdoctor</title><style>{CSS}</style></head>\n<body>"
        f'<a class="skip" href="#main">Skip to the report</a>\n{_head(report)}\n<main id="main">\n'
        + "\n".join(filter(None, sections))
        + f"\n</main>\n<footer>Written by {part.text(report.tool)}. {part.text(HELD)}. "
        f"{part.code(RECORD)} {REPLACES}.</footer>\n</body></html>\n"
    )


def _head(report: Report) -> str:
    word, sentence = verdict(report)
    node = f"recording of node {report.node}" if report.recorded else f"node {report.node}"
    reasons = part.items(map(part.text, why_not_told(report)))
    about = part.items(map(part.text, report.about), "chips")
    return (
        f'<header><h1><span class="badge {KINDS.get(word, "warn")}">{word}</span> {part.text(node)}</h1>'
        f"<p>{part.text(sentence)}</p>{reasons}{about}</header>"
    )


def _causes_title(report: Report) -> str:
    words = {word.partition(" ")[0] for word, _ in headed(report)}
    return "Causes" if "CAUSE" in words else "Findings"


def _diagnoses(report: Report, catalogue: Catalogue) -> Iterator[str]:
    for number, (word, diagnosis) in enumerate(headed(report), 1):
        kind = "warn" if word == "WARNING" else "bad"
        name = f"cause-{number}"
        yield (
            f'<article class="card is-{kind}" aria-labelledby="{name}">'
            f'<h3 id="{name}"><span class="{kind}">{word}</span> {part.text(summary(diagnosis))}</h3>'
            f"{part.fields(_rows(diagnosis, report, catalogue))}{_evidence(diagnosis)}</article>"
        )


def _rows(diagnosis: Diagnosis, report: Report, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if seen := observed(diagnosis):
        yield "found", _observation(seen)
    for field in fields(diagnosis, report, catalogue):
        yield field.label, _field(field)


def _field(field: Field) -> str:
    text = part.text(field.text)
    if field.steps:
        text = part.text(field.where) + part.steps([part.text(step) for step in field.steps])
    return text + (part.block(field.commands) if field.commands else "")


def _observation(item: Evidence) -> str:
    return f"{part.code(item.source)}: {_told(item)}"


def _told(item: Evidence) -> str:
    observed, expected = told(item)
    return part.code(observed) + (f" (expected: {part.code(expected)})" if expected else "")


def _evidence(diagnosis: Diagnosis) -> str:
    """All that was observed, and what the cause explains."""
    cause = diagnosis.cause
    about = ", ".join(filter(None, [sure(diagnosis), str(cause.subject), cause.since and f"since {cause.since}"]))
    seen = part.items(f'<span class="seen">{part.text(item.source)}</span>{_told(item)}' for item in cause.evidence)
    explained = part.items(f"{part.text(f.summary)} {_id(f.probe)}" for f in diagnosis.symptoms)
    also = f"; explains {count(len(diagnosis.symptoms), 'other failing check')}" if diagnosis.symptoms else ""
    title = f"Evidence: {count(len(cause.evidence), 'observation')}{also}"
    inside = f"<p>{part.text(about)} {_id(cause.probe)}</p>{seen}"
    return part.details(title, inside + (f"<h4>It explains</h4>{explained}" if explained else ""))


def _id(probe: str) -> str:
    return f'<code class="quiet">{part.text(probe)}</code>'


def _sign(outcome: Outcome) -> str:
    """The sign of an outcome, which is read aloud as words."""
    kind = CLASSES.get(outcome, "quiet" if outcome is Outcome.NOT_APPLICABLE else "warn")
    return f'<span class="{kind}" role="img" aria-label="{GROUPS[outcome]}">{SIGN_OF[outcome]}</span>'


def _areas(report: Report, catalogue: Catalogue) -> str:
    return part.items(
        (
            f"<b>{_sign(outcome)} {area}</b>{part.text(said)}"
            for area, outcome, said in area_statements(report, catalogue)
        ),
        "areas",
    )


def _checks(report: Report, catalogue: Catalogue) -> str:
    return "".join(
        part.details(f"{_sign(outcome)} {count(len(results), 'check')} {GROUPS[outcome]}", _results(results, catalogue))
        for outcome, results in grouped(report).items()
    )


def _results(results: Iterable[Result], catalogue: Catalogue) -> str:
    return part.items(f"{part.text(statement(result, catalogue))} {_id(result.probe)}" for result in results)


def _run(report: Report) -> str:
    """When and from where it was asked, and what else was noticed."""
    rows = [(label, part.text(value)) for label, value in facts_of_run(report)]
    noticed = [part.text(notice) for notice in (*report.notices, *report.remarks)]
    made = [f"{part.text(made.change)} {_id(made.remedy)}, run {part.code(made.run)}" for made in report.changes]
    return (
        part.fields(rows)
        + part.details(f"{count(len(noticed), 'notice')}", part.items(noticed))
        + part.details(f"{count(len(made), 'change')} by netdoctor in force", part.items(made))
    )
