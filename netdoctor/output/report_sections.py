"""A report as its JSON document: each finding once with an id, evidence with its values, and what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypedDict

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import (
    UNASKED,
    Area,
    Confidence,
    Diagnosis,
    Experiment,
    Finding,
    Outcome,
    Report,
    Result,
    Severity,
    Subject,
)
from netdoctor.output.diagnosis_text import COPY, FIX, in_words
from netdoctor.output.report_document import (
    CauseEntry,
    CureEntry,
    EvidenceEntry,
    ExperimentEntry,
    FindingEntry,
    NextCommands,
    ProbeOutcomes,
    ReasonEntry,
    ReportDocument,
    Verdict,
)

VERDICTS: dict[int, Verdict] = {0: "healthy", 1: "faulty", 3: "could not tell"}
_Key = tuple[str, str, Subject]  # of a finding


class _Common(TypedDict):
    id: str
    probe: str
    says: str
    severity: Severity
    confidence: Confidence
    subject: Subject
    since: str
    evidence: tuple[EvidenceEntry, ...]


def report_document(report: Report) -> ReportDocument:
    """The document of a report."""
    catalogue = Catalogue.load()
    findings = {_key(finding): finding for finding in _findings(report)}
    ids = _ids(findings.values())
    causes = {_key(diagnosis.cause) for diagnosis in report.diagnoses}
    others = [finding for key, finding in findings.items() if key not in causes]
    return ReportDocument(
        verdict=VERDICTS[report.exit_code],
        exit_code=report.exit_code,
        summary=_summary(report),
        schema_version=2,
        tool=report.tool,
        started=report.started,
        seconds=report.seconds,
        node=report.node,
        versions=report.versions,
        recorded=report.recorded,
        notices=report.notices,
        causes=tuple(cause_entry(diagnosis, ids, report.node) for diagnosis in report.diagnoses),
        findings=tuple(FindingEntry(**_common(finding, ids, report.node)) for finding in others),
        outcomes=_outcomes(report.results, catalogue),
        experiments=tuple(map(_experiment, report.experiments)),
        copies=report.copies,
        changes=report.changes,
        asked_from=report.vantage_points,
        kubeconfig=report.kubeconfig,
        remarks=report.remarks,
    )


def cause_entries(diagnoses: Iterable[Diagnosis]) -> tuple[CauseEntry, ...]:
    """Causes alone, whose findings no document shows: `explains` has the ids that a report would give them."""
    known = tuple(diagnoses)
    ids = _ids({_key(finding): finding for each in known for finding in (each.cause, *each.symptoms)}.values())
    return tuple(cause_entry(diagnosis, ids) for diagnosis in known)


def cause_entry(diagnosis: Diagnosis, ids: dict[_Key, str], node: str = "") -> CauseEntry:
    """A diagnosis with its findings' `ids`; of a report on this `node`."""
    cause = diagnosis.cause
    return CauseEntry(
        **_common(cause, ids, node),
        unexplained=diagnosis.unexplained,
        proof=diagnosis.proof,
        explains=tuple(ids[_key(finding)] for finding in diagnosis.symptoms),
        remedies=diagnosis.remedies,
        next=NextCommands(
            fix=(FIX,) if diagnosis.remedies else cause.by_hand,
            why=f"netdoctor explain {cause.probe}",
            see=f"sudo netdoctor trace {diagnosis.see}" if diagnosis.see else "",
        ),
        page=f"docs/probes/{cause.probe}.md",
    )


def _summary(report: Report) -> str:
    """The verdict's sentence: the first cause, or how many checks have passed."""
    errors = [each.cause for each in report.diagnoses if each.cause.severity is Severity.ERROR]
    passed = sum(result.outcome is Outcome.PASS for result in report.results)
    unasked = sum(result.outcome in UNASKED for result in report.results)
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return errors[0].summary + more
    if unasked:
        return f"no fault was found, but {unasked} of {unasked + passed} checks could not be made"
    warnings = f"; {_counted(len(report.diagnoses), 'warning')}" if report.diagnoses else ""
    return f"{_counted(passed, 'check')} passed{warnings}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _findings(report: Report) -> Iterator[Finding]:
    """The causes, what they explain, and what else probes have found."""
    yield from (diagnosis.cause for diagnosis in report.diagnoses)
    for diagnosis in report.diagnoses:
        yield from diagnosis.symptoms
    for result in report.results:
        yield from result.findings


def _key(finding: Finding) -> _Key:
    """What two findings have in common that are one: experiments add to a cause's evidence."""
    return finding.probe, finding.summary, finding.subject


def _ids(findings: Iterable[Finding]) -> dict[_Key, str]:
    """An id for each finding: its probe's name, with a number from the second one on."""
    ids: dict[_Key, str] = {}
    counts = Counter[str]()
    for finding in findings:
        counts[finding.probe] += 1
        count = counts[finding.probe]
        ids[_key(finding)] = finding.probe if count == 1 else f"{finding.probe}#{count}"
    return ids


def _common(finding: Finding, ids: dict[_Key, str], node: str) -> _Common:
    """The fields of every finding; the subject without the report's own node."""
    subject = finding.subject
    return {
        "id": ids[_key(finding)],
        "probe": finding.probe,
        "says": finding.summary,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "subject": replace(subject, node="") if subject.node == node else subject,
        "since": finding.since,
        "evidence": _evidence(finding),
    }


def _evidence(finding: Finding) -> tuple[EvidenceEntry, ...]:
    """What was observed on the node; what copies showed is in the proof and the experiments, unless it is all."""
    own = [item for item in finding.evidence if not item.source.startswith(COPY)]
    return tuple(EvidenceEntry(in_words(item), item.data) for item in own or finding.evidence)


def _outcomes(results: Iterable[Result], catalogue: Catalogue) -> ProbeOutcomes:
    by_outcome: dict[Outcome, list[Result]] = {outcome: [] for outcome in Outcome}
    passed: dict[Area, list[str]] = {}
    for result in results:
        by_outcome[result.outcome].append(result)
        if result.outcome is Outcome.PASS:
            passed.setdefault(_area(result.probe, catalogue), []).append(result.probe)
    return ProbeOutcomes(
        passed={area: tuple(passed[area]) for area in Area if area in passed},
        failed=tuple(result.probe for result in by_outcome[Outcome.FAIL]),
        unknown=_by_reason(by_outcome[Outcome.UNKNOWN]),
        blocked=_by_reason(by_outcome[Outcome.BLOCKED]),
        not_applicable=_by_reason(by_outcome[Outcome.NOT_APPLICABLE]),
    )


def _area(name: str, catalogue: Catalogue) -> Area:
    """The probe's area; the node's for one that only an earlier netdoctor had."""
    return catalogue.probes[name].area if name in catalogue.probes else Area.NODE


def _by_reason(results: list[Result]) -> tuple[ReasonEntry, ...]:
    by_reason: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for result in results:
        by_reason.setdefault((result.reason, result.blocked_by), []).append(result.probe)
    return tuple(ReasonEntry(why, tuple(probes), blocked_by) for (why, blocked_by), probes in by_reason.items())


def _experiment(experiment: Experiment) -> ExperimentEntry:
    cures = zip(experiment.cures, experiment.necessary, strict=True)
    return ExperimentEntry(
        experiment.flow,
        experiment.node,
        "" if experiment.alike else experiment.copy,
        experiment.ended,
        tuple(CureEntry(changes, necessary) for changes, necessary in cures),
    )
