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

    def explains(cause: Finding, effect: Finding) -> bool:
        # a warning is too weak to be the reason of an error
        weaker = cause.severity is Severity.WARNING and effect.severity is Severity.ERROR
        named = effect.probe in catalogue.probes[cause.probe].explains
        return named and not weaker and cause.subject.covers(effect.subject)

    roots = [f for f in failing if not any(explains(other, f) for other in failing if other is not f)]
    found = []
    for root in roots:
        below: list[Finding] = []
        edge = [root]
        while edge:
            now = edge.pop()
            for finding in failing:
                if finding is not root and finding not in below and explains(now, finding):
                    below.append(finding)
                    edge.append(finding)
        order = {name: place for place, name in enumerate(catalogue.causes_first())}
        below.sort(key=lambda f: (catalogue.probes[f.probe].symptom, order[f.probe]))
        remedies = dict.fromkeys(
            remedy.name for finding in (root, *below) for remedy in catalogue.remedies_for(finding.probe)
        )
        is_symptom = catalogue.probes[root.probe].symptom
        found.append(Diagnosis(root, tuple(below), is_symptom, tuple(remedies), root.confidence))
    return tuple(
        sorted(
            found,
            key=lambda d: (d.cause.severity is Severity.WARNING, d.unexplained, -len(d.symptoms), d.cause.probe),
        )
    )
