"""What the documents (Markdown, JUnit, HTML) say of a report, as plain values: each form escapes them in its own way.

Every text is redacted and one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.conclude import NOTHING_ELSE
from netdoctor.model import UNASKED, Confidence, Diagnosis, Evidence, Outcome, Report, Result, Severity
from netdoctor.output.diagnosis_text import BY_HAND, COPY, FIX
from netdoctor.output.report_text import causes_of, explained, no_cause, reasons
from netdoctor.output.unasked_text import without_node
from netdoctor.redact import one_line

ON_THE_NODE = "on the node"
HELD = "It holds no password, token or key; it does hold names and addresses of your network"
RECORD = "netdoctor record"
REPLACES = "makes a recording in which public addresses and the names of hosts and users are replaced"
GROUPS = {
    Outcome.FAIL: "failed",
    Outcome.UNKNOWN: "could not be made",
    Outcome.BLOCKED: "not tested",
    Outcome.PASS: "passed",
    Outcome.NOT_APPLICABLE: "do not apply",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One line under a cause: its label, what it says, and what to type."""

    label: str
    text: str = ""
    commands: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()  # the text in parts, where it is several steps
    where: str = ""  # of these steps


def count(number: int, noun: str) -> str:
    """`1 cause`, `2 causes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def verdict(report: Report) -> tuple[str, str]:
    """The verdict in a word or two, and the sentence after it."""
    if report.exit_code == 1:
        unasked = sum(result.outcome in UNASKED for result in report.results)
        return "FAULTY", " · ".join([explained(report), *([f"{unasked} not tested"] if unasked else [])])
    if not any(result.outcome not in UNASKED for result in report.results) and (
        why := without_node(result.reason for result in report.results)
    ):
        return "CANNOT CHECK", one_line(f"this is not a Kubernetes node, or not one that netdoctor can read: {why}")
    return no_cause(report)


def why_not_told(report: Report) -> list[str]:
    """Why checks could not be made, where that is the verdict."""
    return reasons(report) if verdict(report)[0] == "COULD NOT TELL" else []


def headed(report: Report) -> list[tuple[str, Diagnosis]]:
    """The diagnoses, each with the word that it is headed by: causes, what no cause explains, warnings."""
    causes = causes_of(report)
    found = [(f"CAUSE {n}" if len(causes) > 1 else "CAUSE", cause) for n, cause in enumerate(causes, 1)]
    others = [each for each in report.diagnoses if each not in causes]
    warnings = [("WARNING", each) for each in others if each.cause.severity is Severity.WARNING]
    return [*found, *(("UNEXPLAINED", d) for d in others if d.cause.severity is Severity.ERROR), *warnings]


def summary(diagnosis: Diagnosis) -> str:
    """The cause in one sentence."""
    return " ".join(one_line(diagnosis.cause.summary).split())


def observed(diagnosis: Diagnosis) -> Evidence | None:
    """The first thing that was observed on the node itself."""
    return next((item for item in diagnosis.cause.evidence if not item.source.startswith(COPY)), None)


def told(item: Evidence) -> tuple[str, str]:
    """What was observed and what was expected; "" for the latter of a copy, which says itself what it compares."""
    if item.source.startswith(COPY):
        return item.observed.removesuffix(NOTHING_ELSE), ""
    return item.observed, item.expected


def sure(diagnosis: Diagnosis) -> str:
    """How sure it is, in words."""
    if diagnosis.unexplained:
        return "seen, and not explained by any other finding"
    if diagnosis.confidence is Confidence.CONFIRMED or diagnosis.cause.confidence is Confidence.CONFIRMED:
        return "confirmed"
    return "likely by what was found; neither traffic nor a copy of the node shows it"


def fields(diagnosis: Diagnosis, report: Report, catalogue: Catalogue) -> Iterator[Field]:
    """The proof, and what to type: to repair it, to understand it, to see it."""
    where = ON_THE_NODE if report.recorded else ""
    if diagnosis.proof:
        yield Field("proof", one_line(diagnosis.proof))
    elif not diagnosis.unexplained:
        yield Field("sure", sure(diagnosis))
    yield from _repair(diagnosis, catalogue, where)
    yield Field("why", "", (f"netdoctor explain {one_line(diagnosis.cause.probe)}",))
    if diagnosis.see and diagnosis.cause.severity is Severity.ERROR:
        yield Field("see", where, (f"sudo netdoctor trace {one_line(diagnosis.see)}",))


def _repair(diagnosis: Diagnosis, catalogue: Catalogue, where: str) -> Iterator[Field]:
    if diagnosis.remedies:
        titles = tuple(catalogue.remedies[name].title for name in diagnosis.remedies)
        text = ", ".join(["; ".join(titles), *([where] if where else [])])
        yield Field("fix", text, (FIX,), titles if len(titles) > 1 else (), where)
    elif diagnosis.cause.by_hand:
        yield Field("fix", ", ".join(["by hand", *([where] if where else [])]), _one_lines(diagnosis.cause.by_hand))
    elif page := BY_HAND.search(catalogue.probes[diagnosis.cause.probe].manual):
        yield Field("look" if diagnosis.unexplained else "fix", " ".join(page[1].split()))


def _one_lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(one_line, lines))


def facts_of_run(report: Report) -> Iterator[tuple[str, str]]:
    """What was looked at, when, and by which netdoctor: labels and values."""
    yield "node", one_line(report.node) + (" (judged from a recording)" if report.recorded else "")
    if report.about:
        yield "runs", " · ".join(map(one_line, report.about))
    yield "time", one_line(report.started) or "not known"
    yield "by", one_line(report.tool)
    yield "asked from", ", ".join(map(one_line, report.vantage_points)) or "nowhere"
    if report.kubeconfig:
        yield "kubeconfig", one_line(report.kubeconfig)


def statement(result: Result, catalogue: Catalogue) -> str:
    """One check in a sentence: the fault where it failed, else the healthy state and what kept it from being asked."""
    healthy = catalogue.probes[result.probe].healthy_title
    if result.outcome is Outcome.FAIL and result.findings:
        return "; ".join(one_line(finding.summary) for finding in result.findings)
    if result.outcome in UNASKED:
        return f"not tested whether {healthy}: {one_line(result.reason)}"
    return f"{healthy}: {one_line(result.reason)}" if result.outcome is Outcome.NOT_APPLICABLE else healthy


def grouped(report: Report) -> dict[Outcome, list[Result]]:
    """The checks by outcome, in the order of GROUPS; no empty group."""
    found = {outcome: [r for r in report.results if r.outcome is outcome] for outcome in GROUPS}
    return {outcome: results for outcome, results in found.items() if results}


def tally(report: Report) -> str:
    """How many checks ended in which way."""
    return ", ".join(f"{len(results)} {GROUPS[outcome]}" for outcome, results in grouped(report).items())
