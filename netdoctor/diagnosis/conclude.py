"""Diagnoses held against experiments: a cause that one shows is confirmed, one that it refutes is likely at most."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.facts.traffic.experiments import Experiments, Trial, Tried
from netdoctor.facts.traffic.failed_flows import CLUSTER_DNS, HOST_TO_OUTSIDE, OUTSIDE, POSTGRES
from netdoctor.facts.traffic.reach import CLUSTER_IP, NODE, POD
from netdoctor.model import Confidence, Diagnosis, Evidence, Severity

SYMPTOMS = {
    POD: "pod-to-pod-blocked", NODE: "pod-to-node-blocked", CLUSTER_IP: "cluster-ip-unreachable",
    OUTSIDE: "pod-to-outside-blocked", CLUSTER_DNS: "cluster-dns-silent", POSTGRES: "postgres-unreachable",
    HOST_TO_OUTSIDE: "coredns-upstream-dead",
}  # fmt: skip
SHOWN = 2  # experiments in a diagnosis
SOURCE = "copy of the node"
BY_EXPERIMENT = "found-by-experiment"


def verified(
    catalogue: Catalogue, diagnoses: tuple[Diagnosis, ...], experiments: Experiments | None
) -> tuple[Diagnosis, ...]:
    """The diagnoses with what was tried as evidence, and their confidence set by it."""
    if experiments is None:
        return diagnoses
    found = [_verified(catalogue, diagnosis, experiments) for diagnosis in diagnoses]
    return _joined(found, catalogue.probes[BY_EXPERIMENT].explains)


def _joined(diagnoses: list[Diagnosis], explains: tuple[str, ...]) -> tuple[Diagnosis, ...]:
    """Those that an experiment gave the same cause as one, with all that it `explains`; causes first, else as given."""
    places = {diagnosis.cause.summary: place for place, diagnosis in reversed([*enumerate(diagnoses)])}
    by_cause: dict[str, Diagnosis] = {}
    named = next((d.cause.summary for d in diagnoses if d.cause.probe == BY_EXPERIMENT), "")
    for diagnosis in sorted(diagnoses, key=lambda d: d.cause.summary != named):
        key = diagnosis.cause.summary
        if named and diagnosis.unexplained and diagnosis.cause.probe in explains:
            symptoms = dict.fromkeys((*by_cause[named].symptoms, diagnosis.cause, *diagnosis.symptoms))
            by_cause[named] = replace(by_cause[named], symptoms=tuple(symptoms))
        elif key in by_cause and diagnosis.cause.probe == BY_EXPERIMENT:
            symptoms = dict.fromkeys((*by_cause[key].symptoms, *diagnosis.symptoms))
            by_cause[key] = replace(by_cause[key], symptoms=tuple(symptoms))
        else:
            by_cause.setdefault(key, diagnosis)
    weak = Severity.WARNING
    return tuple(
        sorted(by_cause.values(), key=lambda d: (d.cause.severity is weak, d.unexplained, places[d.cause.summary]))
    )


def _verified(catalogue: Catalogue, diagnosis: Diagnosis, experiments: Experiments) -> Diagnosis:
    findings = (diagnosis.cause, *diagnosis.symptoms)
    causes = {f.probe for f in findings if not catalogue.probes[f.probe].symptom}
    mine = [t for t in experiments.trials if SYMPTOMS.get(t.kind) in {f.probe for f in findings}]
    # nobody answering the host is what is seen, and a cause only where the node lets the packet out
    only_seen = diagnosis.unexplained or diagnosis.cause.probe in SYMPTOMS.values()
    wanted = None if only_seen else causes
    shown = [(trial, cure, needed) for trial in mine if (found := _cure(trial, wanted)) for cure, needed in [found]]
    if shown and only_seen:
        return _named(diagnosis, *shown[0], experiments.cut_short)
    if shown:
        evidence = [_confirms(trial, cure, needed) for trial, cure, needed in shown[:SHOWN]]
        blind = experiments.programs or (diagnosis.confidence is Confidence.LIKELY and diagnosis.unexplained)
        if experiments.cut_short and not any(needed for _, _, needed in shown):
            evidence.append(_not_all_tried(shown[0][0], experiments.cut_short))
            blind = True
        return _with(diagnosis, evidence, Confidence.LIKELY if blind else Confidence.CONFIRMED)
    tried = {cause for trial in mine for cure in trial.cures for cause in (t.cause for t in cure)}
    cured = [trial for trial in mine if trial.cures]
    if cured and causes and not diagnosis.unexplained and mine == cured and not tried & causes:
        if diagnosis.cause.probe in experiments.tried_causes:
            return _with(diagnosis, [_refutes(cured[0])], Confidence.LIKELY)
        return diagnosis
    untried = [trial for trial in mine if trial.alike and not trial.passes and not trial.cures]
    if experiments.cut_short and untried:
        return _with(diagnosis, [_not_all_tried(untried[0], experiments.cut_short)], Confidence.LIKELY)
    passing = [trial for trial in mine if trial.passes]
    if passing and only_seen:
        return _with(diagnosis, [_elsewhere(trial) for trial in passing[:1]], diagnosis.confidence)
    return diagnosis


def _named(diagnosis: Diagnosis, trial: Trial, cure: tuple[Tried, ...], needed: bool, cut_short: str) -> Diagnosis:
    """A symptom that no probe explains, under what cured it."""
    symptom = diagnosis.cause
    evidence, confidence = [_confirms(trial, cure, needed)], Confidence.CONFIRMED
    if cut_short and not needed:
        evidence.append(_not_all_tried(trial, cut_short))
        confidence = Confidence.LIKELY
    cause = replace(
        symptom, summary="; ".join(tried.says for tried in cure), probe=BY_EXPERIMENT,
        evidence=tuple(evidence), confidence=confidence,
    )  # fmt: skip
    return Diagnosis(cause, (symptom, *diagnosis.symptoms), False, (), confidence)


def _cure(trial: Trial, causes: Collection[str] | None) -> tuple[tuple[Tried, ...], bool] | None:
    """The smallest cure in which one of these causes is taken away, and whether nothing else is enough."""
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
    rest = ", and with everything else changed it does not" if needed else ""
    return Evidence(
        f"{SOURCE}, {trial.flow}",
        f"it fails there alike ({trial.twin}), and passes {alone}: {changes}{rest}",
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
        "the same question passes there: rules, routes, links and settings of the node let it through. What loses it "
        "on the node goes by the size or the contents of later packets, or is beyond the node, on the way back, or in "
        "the program that is asked",
        trial.node,
    )  # fmt: skip
