"""Facts to results: every probe is asked, and every probe has a result."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from pathlib import PurePath

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.experiment import LONGEST, experiment, no_experiments
from netdoctor.errors import CannotRead, Why
from netdoctor.facts import Facts, parameters
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.model import Finding, NotApplicable, Outcome, Probe, Result

NOT_IN_RECORDING = "not in this recording, which is older than this check"


def run(
    catalogue: Catalogue, facts: Facts, only: Iterable[str] | None = None, *, experiments: bool = True
) -> dict[str, Result]:
    """The result of each probe (or of those named, and what they require), in an order that follows `requires`.

    Without `experiments` nothing is tried on copies of the node.
    """
    wanted = set(catalogue.probes) if only is None else _with_requirements(catalogue, only)
    order = [name for name in catalogue.order() if name in wanted]
    maker = partial(experiment, catalogue, facts) if experiments else no_experiments
    facts.made_by(Experiments, maker, LONGEST)
    facts.prefetch(want.kind for name in order for want in parameters(catalogue.probes[name].run))
    results: dict[str, Result] = {}
    for name in order:
        results[name] = _ask(catalogue, catalogue.probes[name], facts, results)
    return results


def _with_requirements(catalogue: Catalogue, names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += catalogue.probes[name].requires
    return found


def _blocked(required: list[Probe], earlier: dict[str, Result]) -> str:
    """Why a question makes no sense: the faults found, else what is not known."""
    faults = [probe.title or probe.name for probe in required if earlier[probe.name].outcome is Outcome.FAIL]
    if faults:
        return "; ".join(faults)
    return f"it is not known whether {' and '.join(probe.healthy_title for probe in required)}"


def _ask(catalogue: Catalogue, probe: Probe, facts: Facts, earlier: dict[str, Result]) -> Result:
    not_passed = tuple(name for name in probe.requires if earlier[name].outcome is not Outcome.PASS)
    if not_passed:
        if all(earlier[name].outcome is Outcome.NOT_APPLICABLE for name in not_passed):
            return Result(probe.name, Outcome.NOT_APPLICABLE, reason=earlier[not_passed[0]].reason)
        reason = _blocked([catalogue.probes[name] for name in not_passed], earlier)
        return Result(probe.name, Outcome.BLOCKED, reason=reason, blocked_by=not_passed)
    begin = time.monotonic()
    outcome, reason, starting = Outcome.PASS, "", False
    findings: tuple[Finding, ...] = ()
    try:
        findings = probe(*facts.arguments(probe.run))
        outcome = Outcome.FAIL if findings else Outcome.PASS
    except NotApplicable as why:
        outcome, reason = Outcome.NOT_APPLICABLE, str(why)
    except CannotRead as error:
        outcome, reason, starting = Outcome.UNKNOWN, str(error), error.why is Why.STARTING
        if error.why is Why.OLDER:
            outcome, reason = Outcome.NOT_APPLICABLE, NOT_IN_RECORDING
    except Exception as error:  # one probe's mistake must not take the other results with it
        outcome, reason = Outcome.UNKNOWN, f"the probe itself failed: {type(error).__name__}{_place(error)}"
    seconds = round(time.monotonic() - begin, 3)
    return Result(probe.name, outcome, findings, reason, (), seconds, starting)


def _place(error: Exception) -> str:
    """Where a mistake was made: what its text says may be anything that was read."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f" in {PurePath(last.tb_frame.f_code.co_filename).name}, line {last.tb_lineno}" if last else ""
