"""All that a report holds, for `check -v`: every piece of evidence, what each cause explains, and each probe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.text import Text

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import Diagnosis, Finding, Outcome, Report, Result
from netdoctor.output.area_lines import sign
from netdoctor.output.diagnosis_text import headline, in_words
from netdoctor.output.indented import Indented
from netdoctor.output.layout import hanging
from netdoctor.output.same_reason import SameReason, by_reason
from netdoctor.redact import one_line

IN_WORDS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "fail",
    Outcome.UNKNOWN: "could not be asked",
    Outcome.BLOCKED: "wait for others",
    Outcome.NOT_APPLICABLE: "do not apply",
}


def all_details(report: Report, catalogue: Catalogue) -> Iterator[RenderableType]:
    """Where was asked from, the evidence of each diagnosis, each probe, and what netdoctor has changed here."""
    asked = ", ".join(map(one_line, report.vantage_points)) or "nowhere"
    yield hanging(Text(f"{report.tool} · asked from {asked} · {report.seconds:.1f} s", style="dim"))
    if report.kubeconfig:
        yield hanging(Text(f"kubeconfig {one_line(report.kubeconfig)}", style="dim"))
    for remark in report.remarks:
        yield hanging(Text(one_line(remark), style="dim"))
    yield Text("")
    for diagnosis in report.diagnoses:
        yield from _diagnosis(diagnosis, catalogue)
    yield from _probes(report.results, catalogue)
    if report.changes:
        yield Text("changed by netdoctor and in force", style="bold")
        for made in report.changes:
            yield Indented(Text(f"{made.remedy}: {one_line(made.change)} (run {made.run})"))
    yield Text("")


def _diagnosis(diagnosis: Diagnosis, catalogue: Catalogue) -> Iterator[RenderableType]:
    cause = diagnosis.cause
    yield headline(diagnosis)
    confidence = "" if diagnosis.unexplained else f", {cause.confidence}"
    subject = f", {cause.subject}" if str(cause.subject) else ""
    since = f", since {cause.since}" if cause.since else ""
    yield Indented(Text(one_line(f"{cause.probe}{confidence}{subject}{since}"), style="dim"))
    yield Text("  evidence", style="bold")
    for item in cause.evidence:
        yield Indented(hanging(Text(in_words(item))), 4)
    if diagnosis.symptoms:
        yield Text("  explains", style="bold")
        for finding in diagnosis.symptoms:
            yield Indented(hanging(_symptom(finding)), 4)
    if diagnosis.remedies:
        yield Text("  repaired by", style="bold")
        for name in diagnosis.remedies:
            yield Indented(hanging(Text(f"{name}: {catalogue.remedies[name].title}")), 4)
    yield Text("")


def _symptom(finding: Finding) -> Text:
    return Text.assemble(f"{one_line(finding.summary)} ", (f"({finding.probe})", "cyan"))


def _probes(results: Iterable[Result], catalogue: Catalogue) -> Iterator[RenderableType]:
    """Each probe in a line: in the words of the healthy state where it passed, of the fault where it failed."""
    found = sorted(results, key=lambda result: list(IN_WORDS).index(result.outcome))
    counts = {outcome: sum(result.outcome is outcome for result in found) for outcome in IN_WORDS}
    told = ", ".join(f"{count} {IN_WORDS[outcome]}" for outcome, count in counts.items() if count)
    yield hanging(Text(f"checks: {told}", style="bold"))
    for result in found:
        if result.outcome is not Outcome.NOT_APPLICABLE:
            yield Indented(hanging(_probe(result, catalogue), 4))
    for same in by_reason((result for result in found if result.outcome is Outcome.NOT_APPLICABLE), catalogue):
        yield Indented(hanging(_not_applicable(same), 4))


def _not_applicable(same: SameReason) -> RenderableType:
    """One reason, and the probes that it keeps from a question."""
    number = f": {len(same.probes)} checks" if len(same.probes) > 1 else ""
    text = f" {same.areas}: does not apply: {same.reason}{number}"
    return Text.assemble(sign(Outcome.NOT_APPLICABLE), text, (f"  ({', '.join(same.probes)})", "cyan"))


def _probe(result: Result, catalogue: Catalogue) -> RenderableType:
    healthy = catalogue.probes[result.probe].healthy_title
    if result.outcome is Outcome.PASS:
        text = healthy
    elif result.outcome is Outcome.FAIL:
        text = one_line(result.findings[0].summary)
    else:
        text = f"not tested whether {healthy}: {one_line(result.reason)}"
    return Text.assemble(sign(result.outcome), " ", text, (f"  ({result.probe})", "cyan"))
