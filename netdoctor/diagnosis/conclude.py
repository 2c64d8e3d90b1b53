"""Diagnoses held against experiments: a cause that one shows is confirmed, one that it refutes is likely at most."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.proof_sentence import proof
from netdoctor.facts.traffic.experiments import Experiments, Trial, Tried
from netdoctor.facts.traffic.failed_flows import CLUSTER_DNS, HOST_TO_OUTSIDE, OUTSIDE, POSTGRES
from netdoctor.facts.traffic.reach import CLUSTER_IP, NODE, POD
from netdoctor.facts.traffic.service_reach import FROM_NODE, HOST_PORT, ITSELF, NODE_PORT, SERVICE
from netdoctor.model import Confidence, Diagnosis, Evidence, Finding, Severity
from netdoctor.shell import all_of

SYMPTOMS = {
    POD: "pod-to-pod-blocked",
    NODE: "pod-to-node-blocked",
    CLUSTER_IP: "cluster-ip-unreachable",
    OUTSIDE: "pod-to-outside-blocked",
    CLUSTER_DNS: "cluster-dns-silent",
    POSTGRES: "postgres-unreachable",
    HOST_TO_OUTSIDE: "coredns-upstream-dead",
    FROM_NODE: "node-to-pod-blocked",
    SERVICE: "service-unreachable",
    NODE_PORT: "node-port-unreachable",
    HOST_PORT: "host-port-unreachable",
    ITSELF: "pod-to-itself-blocked",
}
SHOWN = 2  # experiments in a diagnosis
SOURCE = "copy of the node"
NOTHING_ELSE = "; it does not pass with every other change"
BY_EXPERIMENT = "found-by-experiment"
REFUTED = "not shown: on a copy of this node the failing connections work without this repair"
NOT_ALL_TRIED = "not shown: the experiments on copies of this node ended before every change was tried, after"
ELSEWHERE = (
    "on a copy of this node the same request is answered, so its own rules and routes let it through: "
    "the loss is beyond the node, on the return path, or at the server"
)


def verified(
    catalogue: Catalogue, diagnoses: tuple[Diagnosis, ...], experiments: Experiments | None
) -> tuple[Diagnosis, ...]:
    """The diagnoses with what was tried as evidence, and their confidence set by it."""
    if experiments is None:
        return diagnoses
    found = [_with_packet(_verified(catalogue, each, experiments), experiments) for each in diagnoses]
    return _joined(found, catalogue.probes[BY_EXPERIMENT].explains)


def _joined(diagnoses: list[Diagnosis], explains: tuple[str, ...]) -> tuple[Diagnosis, ...]:
    """Those that an experiment gave the same cause as one, with all that it `explains`; causes first, else as given."""
    named = next((d.cause.summary for d in diagnoses if d.cause.probe == BY_EXPERIMENT), None)
    by_cause: dict[str, Diagnosis] = {}
    for diagnosis in sorted(diagnoses, key=lambda d: d.cause.summary != named):
        summary = diagnosis.cause.summary
        if named is not None and diagnosis.unexplained and diagnosis.cause.probe in explains:
            by_cause[named] = _with_symptoms(by_cause[named], (diagnosis.cause, *diagnosis.symptoms))
        elif summary in by_cause and diagnosis.cause.probe == BY_EXPERIMENT:
            by_cause[summary] = _with_symptoms(by_cause[summary], diagnosis.symptoms)
        else:
            by_cause.setdefault(summary, diagnosis)
    given = [diagnosis.cause.summary for diagnosis in diagnoses]
    as_given = sorted(by_cause.values(), key=lambda d: given.index(d.cause.summary))
    return tuple(sorted(as_given, key=lambda d: (d.cause.severity is Severity.WARNING, d.unexplained)))


def _with_symptoms(diagnosis: Diagnosis, more: tuple[Finding, ...]) -> Diagnosis:
    """The diagnosis with more symptoms, each once."""
    return replace(diagnosis, symptoms=tuple(dict.fromkeys((*diagnosis.symptoms, *more))))


@dataclass(frozen=True, slots=True)
class _Case:
    """A diagnosis, and what was tried on copies for the flows that it is about."""

    diagnosis: Diagnosis
    experiments: Experiments
    trials: tuple[Trial, ...]
    causes: frozenset[str]  # probes of its findings that are no symptoms
    only_seen: bool  # whether it names what is seen, and not why

    @property
    def cut_short(self) -> str:
        """The limit that ended the search before it was done, "" where none did."""
        return self.experiments.cut_short

    def cures(self) -> list[tuple[Trial, tuple[Tried, ...], bool]]:
        """The trials cured by a change that removes one of the causes, or by any change where none is known."""
        wanted = None if self.only_seen else self.causes
        return [(trial, *found) for trial in self.trials if (found := _cure(trial, wanted))]


def probes_of(diagnosis: Diagnosis) -> set[str]:
    """The probes that found the cause and what it explains."""
    return {finding.probe for finding in (diagnosis.cause, *diagnosis.symptoms)}


def trials_of_diagnosis(diagnosis: Diagnosis, experiments: Experiments) -> tuple[Trial, ...]:
    """What was tried for the flows that are symptoms of a diagnosis."""
    probes = probes_of(diagnosis)
    return tuple(trial for trial in experiments.trials if SYMPTOMS.get(trial.kind) in probes)


def _with_packet(diagnosis: Diagnosis, experiments: Experiments) -> Diagnosis:
    """The diagnosis with a failing packet to trace: one that its own change cures, else any of its symptoms."""
    probes, trials = probes_of(diagnosis), trials_of_diagnosis(diagnosis, experiments)
    own = [trial for trial in trials if any(_is_of(cure, probes) for cure in trial.cures)]
    packets = [trial.packet for trial in (*own, *trials) if trial.packet]
    return replace(diagnosis, see=packets[0]) if packets else diagnosis


def _is_of(cure: tuple[Tried, ...], probes: Collection[str]) -> bool:
    """Whether a cure only removes what these probes found."""
    return all(tried.cause in probes for tried in cure)


def _verified(catalogue: Catalogue, diagnosis: Diagnosis, experiments: Experiments) -> Diagnosis:
    """The first of these verdicts that its experiments allow; else as the probes have it."""
    case = _case(catalogue, diagnosis, experiments)
    for verdict in (_cured, _cured_by_others, _not_tried, _passes_in_the_copy):
        judged = verdict(case)
        if judged is not None:
            return judged
    return diagnosis


def _case(catalogue: Catalogue, diagnosis: Diagnosis, experiments: Experiments) -> _Case:
    probes = probes_of(diagnosis)
    trials = trials_of_diagnosis(diagnosis, experiments)
    causes = frozenset(name for name in probes if not catalogue.probes[name].symptom)
    # nobody answering the host is what is seen, and a cause only where the node lets the packet out
    only_seen = diagnosis.unexplained or diagnosis.cause.probe in SYMPTOMS.values()
    return _Case(diagnosis, experiments, trials, causes, only_seen)


def _cured(case: _Case) -> Diagnosis | None:
    """What failed fails in the copy too, and passes there once the cause is removed: confirmed.

    Likely only, where something on the node is in no copy, or where the search ended before the opposite was tried.
    """
    shown = case.cures()
    if not shown:
        return None
    first, cure, _ = shown[0]
    if case.only_seen:  # the cause is named by the first cure
        shown = [found for found in shown if found[1] == cure]
    evidence = [_confirms(trial, changes, needed) for trial, changes, needed in shown[:SHOWN]]
    confidence = Confidence.LIKELY if case.experiments.programs else Confidence.CONFIRMED
    if case.cut_short and not any(needed for _, _, needed in shown):
        evidence.append(_not_all_tried(first, case.cut_short))
        confidence = Confidence.LIKELY
    diagnosis = replace(case.diagnosis, proof=proof(shown, case.trials))
    if case.only_seen:
        return _named(diagnosis, cure, evidence, confidence)
    return _with(_with_commands(diagnosis, cure), evidence, confidence)


def _with_commands(diagnosis: Diagnosis, cure: tuple[Tried, ...]) -> Diagnosis:
    """The diagnosis with the commands that make the cure, where neither a remedy nor its probe has any."""
    if diagnosis.remedies or diagnosis.cause.by_hand:
        return diagnosis
    by_hand = all_of(tried.by_hand for tried in cure)
    return replace(diagnosis, cause=replace(diagnosis.cause, by_hand=by_hand))


def _cured_by_others(case: _Case) -> Diagnosis | None:
    """Each of its flows passes in the copy after other changes alone: likely at most, if its own was tried too."""
    if case.diagnosis.unexplained or not case.causes or not case.trials:
        return None
    if not all(trial.cures for trial in case.trials):
        return None
    taken_away = {tried.cause for trial in case.trials for cure in trial.cures for tried in cure}
    if taken_away & case.causes:
        return None
    if case.diagnosis.cause.probe not in case.experiments.tried_causes:
        return case.diagnosis
    return _with(replace(case.diagnosis, proof=REFUTED), [_refutes(case.trials[0])], Confidence.LIKELY)


def _not_tried(case: _Case) -> Diagnosis | None:
    """The search ended before a flow that fails in the copy had a cure: likely."""
    uncured = [trial for trial in case.trials if trial.alike and not trial.passes and not trial.cures]
    if not case.cut_short or not uncured:
        return None
    diagnosis = replace(case.diagnosis, proof=f"{NOT_ALL_TRIED} {case.cut_short}")
    return _with(diagnosis, [_not_all_tried(uncured[0], case.cut_short)], Confidence.LIKELY)


def _passes_in_the_copy(case: _Case) -> Diagnosis | None:
    """What failed on the node passes in the copy as it is: nothing that a copy has loses it."""
    passing = [trial for trial in case.trials if trial.passes]
    if not passing or not case.only_seen:
        return None
    diagnosis = replace(case.diagnosis, proof=ELSEWHERE)
    return _with(diagnosis, [_elsewhere(passing[0])], diagnosis.confidence)


def _named(
    diagnosis: Diagnosis, cure: tuple[Tried, ...], evidence: list[Evidence], confidence: Confidence
) -> Diagnosis:
    """A symptom that no probe explains, under what cured it."""
    symptom = diagnosis.cause
    cause = replace(
        symptom,
        summary="; ".join(tried.says for tried in cure),
        probe=BY_EXPERIMENT,
        evidence=tuple(evidence),
        confidence=confidence,
        by_hand=all_of(tried.by_hand for tried in cure),
    )
    symptoms = (symptom, *diagnosis.symptoms)
    return Diagnosis(cause, symptoms, unexplained=False, confidence=confidence, proof=diagnosis.proof)


def _cure(trial: Trial, causes: Collection[str] | None) -> tuple[tuple[Tried, ...], bool] | None:
    """The smallest cure in which one of these causes is removed, and whether nothing else is enough."""
    fitting = [
        (cure, needed)
        for cure, needed in zip(trial.cures, trial.necessary, strict=True)
        if causes is None or any(tried.cause in causes for tried in cure)
    ]
    return min(fitting, key=lambda found: len(found[0]), default=None)


def _with(diagnosis: Diagnosis, evidence: list[Evidence], confidence: Confidence) -> Diagnosis:
    cause = replace(diagnosis.cause, evidence=(*diagnosis.cause.evidence, *evidence), confidence=confidence)
    return replace(diagnosis, cause=cause, confidence=confidence)


def _confirms(trial: Trial, cure: tuple[Tried, ...], needed: bool) -> Evidence:
    changes = "; ".join(tried.change for tried in cure)
    alone = "with only this changed" if len(cure) == 1 else "only with all of this changed"
    rest = NOTHING_ELSE if needed else ""
    return Evidence(
        f"{SOURCE}, {trial.flow}",
        f"fails the same way there ({trial.twin}), and passes {alone}: {changes}{rest}",
        "it passes as it is",
    )


def _not_all_tried(trial: Trial, cut_short: str) -> Evidence:
    return Evidence(
        f"{SOURCE}, {trial.flow}",
        f"not everything that might let it pass was tried: the experiments ended after {cut_short}",
        "each change is tried",
    )


def _refutes(trial: Trial) -> Evidence:
    cure = min(trial.cures, key=len)
    changes = "; ".join(tried.change for tried in cure)
    return Evidence(
        f"{SOURCE}, {trial.flow}",
        f"it passes without this being repaired, with only this changed: {changes}",
        "it fails",
    )


def _elsewhere(trial: Trial) -> Evidence:
    return Evidence(
        f"{SOURCE}, {trial.flow}",
        "the same request succeeds there, so the node's rules, routes, links and settings are not the cause: look at "
        "the size or contents of packets, the network beyond the node, the return path, or the server",
        "it succeeds",
    )
