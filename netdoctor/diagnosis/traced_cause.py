"""A failing flow of the first cause, followed through two copies of the node: as it is, and with the cause repaired.

A stage of its own: it is run for a report with pictures alone, after everything else.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import Look
from netdoctor.diagnosis.conclude import probes_of, trials_of_diagnosis
from netdoctor.diagnosis.experiment import remedies_to_try
from netdoctor.errors import BadInput, CannotRead, NetdoctorError
from netdoctor.experiments.interventions import Intervention, Situation, proposed
from netdoctor.facts.traffic.experiments import Experiments, Trial, Tried
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.vantage import NEW, VantagePoints
from netdoctor.model import Diagnosis, Severity
from netdoctor.system.host import Host
from netdoctor.tracing import reading
from netdoctor.tracing.ends import Known
from netdoctor.tracing.traced import Traced, trace_named
from netdoctor.twin.twin import Twin

NOTHING = "no flow failed, so there is none to follow"
TEST_POD_ALONE = "the flows that failed came from the test pod, which is gone, so there is none to follow"
BEYOND = "on a copy of the node this flow arrives: what loses it is beyond the node, so no repair changes its path"
NO_CURE = "no change that was tried lets this flow pass, so there is no path after a repair"
NOT_MADE = "the change that cures it cannot be made in another copy"
BEHIND = 3  # obstacles, one behind the other, whose changes only the copy without the first ones shows


@dataclass(frozen=True, slots=True)
class AskedPods:
    """The pods, by namespace/name, that questions were sent from, and those that got no answer, and from what."""

    asked: frozenset[str] = frozenset()
    failing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    test_pod: str = ""  # the one that netdoctor made, if any


@dataclass(frozen=True, slots=True)
class TracedCause:
    """One flow of a cause, before and after its repair."""

    diagnosis: Diagnosis
    packet: str  # the arguments with which `netdoctor trace` follows it
    before: Traced
    after: Traced | None
    changes: tuple[str, ...]  # what is different in the second copy
    reason: str = ""  # why there is no second copy
    pods: AskedPods = field(default_factory=AskedPods)


def traced_or_reason(look: Look, catalogue: Catalogue) -> TracedCause | str:
    """The flow of the first cause that can be followed, or one sentence on why there is none."""
    try:
        return traced_cause(look, catalogue)
    except CannotRead as error:
        return error.reason


def traced_cause(look: Look, catalogue: Catalogue) -> TracedCause:
    """Follow a flow of the first cause that has one. Raises CannotRead with the reason where none can be followed."""
    diagnosis, trial, cure = _chosen(look)
    known = reading.recorded(look.facts)
    try:
        before = _follow(known, trial, ())
    except BadInput as error:
        raise CannotRead("twin", str(error)) from error
    changes = tuple(tried.change for tried in cure)
    after, reason = None, BEYOND if before.ending.arrived else NO_CURE
    if cure:
        try:
            after, reason = _follow(known, trial, _wanted(look, catalogue, known, trial, cure, before)), ""
        except (NetdoctorError, OSError) as error:
            reason = error.reason if isinstance(error, CannotRead) else str(error)
    return TracedCause(diagnosis, trial.packet, before, after, changes, reason, _asked_pods(look))


def _asked_pods(look: Look) -> AskedPods:
    """Which pods were asked, and which of them fail; nothing of what could not be read."""
    points, failed = look.facts.known().get(VantagePoints), look.facts.known().get(FailedFlows)
    pods = points.pods if isinstance(points, VantagePoints) else ()
    return AskedPods(
        frozenset(f"{pod.namespace}/{pod.pod}" for pod in pods),
        dict(failed.pods if isinstance(failed, FailedFlows) else ()),
        next((f"{pod.namespace}/{pod.pod}" for pod in pods if pod.kind == NEW), ""),
    )


def _chosen(look: Look) -> tuple[Diagnosis, Trial, tuple[Tried, ...]]:
    """The first cause with a flow that can be followed; of its flows one that the cause's own repair cures, if any."""
    tried = look.facts.known().get(Experiments)
    if isinstance(tried, CannotRead):
        raise tried
    found = False
    for diagnosis in look.diagnoses:
        if diagnosis.cause.severity is not Severity.ERROR:
            continue
        of_cause = trials_of_diagnosis(diagnosis, tried) if isinstance(tried, Experiments) else ()
        found = found or bool(of_cause)
        ranked = sorted(_with_cures(of_cause, probes_of(diagnosis)), key=lambda item: item[0])
        if ranked:
            _, trial, cure = ranked[0]
            return diagnosis, trial, cure
    raise CannotRead("twin", TEST_POD_ALONE if found else NOTHING)


def _with_cures(trials: Sequence[Trial], probes: set[str]) -> Iterator[tuple[int, Trial, tuple[Tried, ...]]]:
    """Each flow that can be followed, with its cure, the best ones first in rank."""
    for trial in trials:
        if not trial.packet:
            continue
        own = [cure for cure in trial.cures if any(tried.cause in probes for tried in cure)]
        cures = sorted(own or trial.cures, key=len)
        rank = 0 if own and len(cures[0]) == 1 else 1 if own else 2 if cures else 3
        yield rank, trial, cures[0] if cures else ()


def _follow(known: Known, trial: Trial, changes: Sequence[Intervention]) -> Traced:
    source, destination, port, *option = shlex.split(trial.packet)
    protocol = option[0].removeprefix("--") if option else ""

    def make(twin: Twin) -> None:
        for change in changes:
            twin.run(change.make, change.where)

    return trace_named(known, source, destination, port, protocol, make)


def _wanted(
    look: Look, catalogue: Catalogue, known: Known, trial: Trial, cure: tuple[Tried, ...], before: Traced
) -> list[Intervention]:
    """The cure's changes, to be made in a copy. Raises CannotRead where one of them cannot be found again."""
    wanted = [(tried.name, tried.change) for tried in cure]
    remedies, _ = remedies_to_try(catalogue, look.facts, known.state, look.facts.get(Host), {})
    pool = {each.key: each for each in remedies}
    walked = before
    for _ in range(BEHIND):
        situation = Situation(known.state, walked.walk.flow, walked.walk, "", known.cluster)
        pool |= {each.key: each for each in proposed(situation) if each.key not in pool}
        found = [pool[key] for key in wanted if key in pool]
        if len(found) == len(wanted):
            return found
        if not found:
            break
        walked = _follow(known, trial, found)
    raise CannotRead("twin", NOT_MADE)
