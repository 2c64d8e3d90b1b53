"""What is seen while something starts is not a fault yet.

A CoreDNS that was started ten seconds ago answers nothing, and will. Symptoms that nothing explains but what is
starting are not tested: they are asked for once more when it had its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.conclude import probes_of
from netdoctor.model import Diagnosis, Outcome, Result


def without_the_starting(
    catalogue: Catalogue, results: Mapping[str, Result], diagnoses: tuple[Diagnosis, ...]
) -> tuple[dict[str, Result], tuple[Diagnosis, ...]]:
    """Results and diagnoses without the symptoms that only what is starting explains; these are blocked by it."""
    waits_for = _waits_for(catalogue, results)
    if not waits_for:
        return dict(results), diagnoses
    left = tuple(diagnosis for diagnosis in diagnoses if not _only_waits(diagnosis, waits_for))
    waiting = _probes(diagnosis for diagnosis in diagnoses if diagnosis not in left) - _probes(left)
    blocked = {name: _blocked(results[name], results[waits_for[name]]) for name in waiting}
    return {**results, **blocked}, left


def _waits_for(catalogue: Catalogue, results: Mapping[str, Result]) -> dict[str, str]:
    """The symptoms that may come from something that is starting, and the probe that says so."""
    starting = [name for name, result in results.items() if result.starting]
    return {symptom: name for name in starting for symptom in catalogue.probes[name].explains}


def _probes(diagnoses: Iterable[Diagnosis]) -> set[str]:
    """The probes whose findings stand in these."""
    return set().union(*map(probes_of, diagnoses))


def _only_waits(diagnosis: Diagnosis, waits_for: Mapping[str, str]) -> bool:
    """Whether nothing is known to cause it, and what is starting explains all of it."""
    return diagnosis.unexplained and probes_of(diagnosis) <= waits_for.keys()


def _blocked(result: Result, by: Result) -> Result:
    return replace(result, outcome=Outcome.BLOCKED, findings=(), reason=by.reason, blocked_by=(by.probe,))
