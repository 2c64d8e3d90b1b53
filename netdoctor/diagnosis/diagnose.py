"""Results to diagnoses: each symptom hangs under the cause that explains it, and nothing is dropped.

A finding that no other failing finding explains is a root. A root that is only a symptom is called unexplained. Two
roots of one symptom are both shown. A cause explains a symptom only if its subject covers the symptom's.
"""

from __future__ import annotations

from collections.abc import Mapping

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import Diagnosis, Finding, Result, Severity


def diagnose(catalogue: Catalogue, results: Mapping[str, Result]) -> tuple[Diagnosis, ...]:
    """The diagnoses, worst first: errors before warnings, causes before the unexplained, then by what they explain."""
    failing = [finding for result in results.values() for finding in result.findings]
    found = [_of_root(catalogue, root, failing) for root in _roots(catalogue, failing)]
    return tuple(sorted(found, key=_worst_first))


def _explains(catalogue: Catalogue, cause: Finding, effect: Finding) -> bool:
    """Whether one finding may be the reason of another one.

    A warning is too weak to be an error's, and what somebody has asked for has no other reason.
    """
    if effect.wanted:
        return False
    if cause.severity is Severity.WARNING and effect.severity is Severity.ERROR:
        return False
    return effect.probe in catalogue.probes[cause.probe].explains and cause.subject.covers(effect.subject)


def _roots(catalogue: Catalogue, failing: list[Finding]) -> list[Finding]:
    """The findings that no other one explains."""
    return [
        finding
        for finding in failing
        if not any(_explains(catalogue, other, finding) for other in failing if other is not finding)
    ]


def _of_root(catalogue: Catalogue, root: Finding, failing: list[Finding]) -> Diagnosis:
    below = _below(catalogue, root, failing)
    remedies = dict.fromkeys(
        remedy.name for finding in (root, *below) for remedy in catalogue.remedies_for(finding.probe)
    )
    unexplained = catalogue.probes[root.probe].symptom
    return Diagnosis(root, tuple(below), unexplained, tuple(remedies), root.confidence)


def _below(catalogue: Catalogue, root: Finding, failing: list[Finding]) -> list[Finding]:
    """All that a root explains, directly or by what it explains: causes before what they explain, symptoms last."""
    below: list[Finding] = []
    edge = [root]
    while edge:
        cause = edge.pop()
        for finding in failing:
            if finding is not root and finding not in below and _explains(catalogue, cause, finding):
                below.append(finding)
                edge.append(finding)
    order = {name: place for place, name in enumerate(catalogue.causes_first())}
    return sorted(below, key=lambda finding: (catalogue.probes[finding.probe].symptom, order[finding.probe]))


def _worst_first(diagnosis: Diagnosis) -> tuple[bool, bool, int, str]:
    warning = diagnosis.cause.severity is Severity.WARNING
    return warning, diagnosis.unexplained, -len(diagnosis.symptoms), diagnosis.cause.probe
