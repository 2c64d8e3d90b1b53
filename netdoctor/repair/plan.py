"""Diagnoses to a plan: for each failing probe the remedy that has something to do, causes before what they explain."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from netdoctor.changes import needs_the_node
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import Look
from netdoctor.diagnosis.wanted_changes import planned
from netdoctor.facts import Facts
from netdoctor.model import Change, NeedsTheNode, Outcome, Remedy, Result, Risk
from netdoctor.system.host import Host


@dataclass(frozen=True)
class Step:
    """A remedy, the probe that has to pass afterwards, and the changes that it wants now."""

    remedy: Remedy
    why: str
    changes: tuple[Change, ...]

    @property
    def name(self) -> str:
        """The remedy's name."""
        return self.remedy.name

    @property
    def probe(self) -> str:
        """The probe that fails now and has to pass afterwards."""
        return self.remedy.fixes

    @property
    def risk(self) -> Risk:
        """Whether netdoctor may apply it."""
        return self.remedy.risk


@dataclass(frozen=True)
class NotRepairable:
    """A fault that netdoctor will not repair, and why not."""

    probe: str
    summary: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What will be changed, in this order, and what will not."""

    steps: tuple[Step, ...]
    not_repairable: tuple[NotRepairable, ...]
    on_the_node: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of these probes: remedies that no recording can plan

    @property
    def to_apply(self) -> tuple[Step, ...]:
        """The steps that netdoctor takes by itself."""
        return tuple(step for step in self.steps if step.risk is Risk.SAFE)


def plan(catalogue: Catalogue, seen: Look, tried: Collection[str] = (), only: Collection[str] = ()) -> Plan:
    """A step for each failing probe whose remedy has something to do; the remedies `tried` are left out.

    `only`: the remedies, or the probes whose fault they repair, that the user has chosen; empty: all. A symptom whose
    cause gets a step needs none of its own, nor does an act whose effects all get one.
    """
    steps: list[Step] = []
    rest: list[NotRepairable] = []
    unchosen: list[NotRepairable] = []
    on_the_node: dict[str, tuple[str, ...]] = {}
    for name in catalogue.causes_first():
        result = seen.results.get(name)
        if result is None or result.outcome is not Outcome.FAIL:
            continue
        step, reason, later = _step(catalogue, result, seen.facts, tried)
        if step and only and not {step.name, step.probe} & {*only}:
            reason = f"{step.name} was not chosen with --only"
            unchosen.append(NotRepairable(name, result.findings[0].summary, reason))
        elif step:
            steps.append(step)
        else:
            rest.append(NotRepairable(name, result.findings[0].summary, reason))
            on_the_node |= {name: later} if later else {}
    treated = {step.probe for step in steps}
    left_out = _of_the_same_diagnoses(seen, treated) | _acts(catalogue, seen, treated)
    return _without(left_out, Plan(tuple(steps), tuple(rest), tuple(on_the_node.items())), unchosen)


def _without(symptoms: set[str], whole: Plan, unchosen: list[NotRepairable]) -> Plan:
    """The plan without what is left undone of these symptoms, and with what the user has not chosen."""
    rest = [each for each in whole.not_repairable if each.probe not in symptoms]
    on_the_node = tuple(each for each in whole.on_the_node if each[0] not in symptoms)
    return replace(whole, not_repairable=(*rest, *unchosen), on_the_node=on_the_node)


def _of_the_same_diagnoses(seen: Look, treated: set[str]) -> set[str]:
    """The symptoms of each diagnosis in which a probe gets a step."""
    symptoms: set[str] = set()
    for diagnosis in seen.diagnoses:
        explained = {finding.probe for finding in diagnosis.symptoms}
        if treated & {diagnosis.cause.probe, *explained}:
            symptoms |= explained
    return symptoms


def _acts(catalogue: Catalogue, seen: Look, treated: set[str]) -> set[str]:
    """The acts whose effects are all treated."""
    found: set[str] = set()
    for diagnosis in seen.diagnoses:
        effects = {each.probe for each in diagnosis.symptoms if not catalogue.probes[each.probe].symptom}
        if catalogue.probes[diagnosis.cause.probe].act and effects <= treated:
            found.add(diagnosis.cause.probe)
    return found


def _step(
    catalogue: Catalogue, result: Result, facts: Facts, tried: Collection[str]
) -> tuple[Step | None, str, tuple[str, ...]]:
    """The first remedy that has something to do; else why none has, and which are planned on the node alone."""
    reasons: list[str] = []
    on_the_node: list[str] = []
    for remedy in catalogue.remedies_for(result.probe):
        if remedy.name in tried:
            reasons.append(f"{remedy.name} was tried")
            continue
        try:
            changes, reason = _planned(remedy, result, facts)
        except NeedsTheNode:
            reasons.append(f"{remedy.name} is planned on the node itself: a recording does not tell all that it needs")
            on_the_node.append(remedy.name)
            continue
        if changes:
            return Step(remedy, result.findings[0].summary, changes), "", ()
        reasons.append(reason or f"{remedy.name} has nothing to change")
    reason = "; ".join(reasons) or f"there is no remedy: netdoctor explain {result.probe}"
    return None, reason, tuple(on_the_node)


def _planned(remedy: Remedy, result: Result, facts: Facts) -> tuple[tuple[Change, ...], str]:
    """The changes, or why there are none. Raises NeedsTheNode where a recording does not tell enough for them."""
    changes, reason = planned(remedy, result.findings, facts)
    if not facts.get(Host).live and any(map(needs_the_node, changes)):
        raise NeedsTheNode
    return changes, reason
