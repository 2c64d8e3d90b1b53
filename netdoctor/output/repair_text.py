"""A repair in words and as JSON: what is planned, what became of each step, and how the node is then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netdoctor import __version__
from netdoctor.changes import comes_back, in_short, left_alone, touched
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import Look
from netdoctor.model import UNASKED, Change, Diagnosis, Outcome, Severity
from netdoctor.output.json_text import as_data, json_text
from netdoctor.output.rehearsal_text import as_json as rehearsal_json
from netdoctor.output.report_sections import report_document
from netdoctor.output.unasked_text import cannot_check, not_made, unasked_lines, without_node
from netdoctor.rehearsal.rehearsal import Rehearsal
from netdoctor.repair.confirmation import Confirmation, Kept
from netdoctor.repair.executor import Outcomes, StepEnd, StepOutcome
from netdoctor.repair.plan import NotRepairable, Plan, Step

NAME_WIDTH = 23
ENDS = {
    StepEnd.PROVED: ("✓", "made, proved"),
    StepEnd.ROLLED_BACK: ("✗", "rolled back"),
    StepEnd.SKIPPED: ("–", "not needed any more"),
    StepEnd.DRIFTED: ("?", "drifted"),
    StepEnd.LEFT: ("✗", "not undone"),
}


def plan_lines(seen: Look, plan: Plan, *, verbose: bool = False) -> list[str]:
    """For which causes which steps are planned, each with its changes; and what is not repaired and why.

    `verbose`: also each cause and reason, and each change to the last rule. Else long lists are told by their numbers.
    """
    report = seen.report()
    by = f" · kubeconfig {report.kubeconfig}" if report.kubeconfig else ""
    lines = [f"node {report.node}{by}"] if plan.steps or plan.not_repairable else []
    if verbose or not (plan.to_apply or plan.not_repairable):
        lines += _causes(seen.diagnoses)
    lines += _steps_lines(seen, plan, verbose)
    later = {probe for probe, _ in plan.on_the_node}
    for item in _shown(seen.diagnoses, plan):
        if verbose or item.probe not in later:
            instead = _instead(item, seen.diagnoses, report.recorded)
            lines += ["", f"not repaired: {item.summary} ({item.probe})", *instead]
    if lines:
        lines += not_made(report.results)
    return lines + _on_the_node_lines(plan)


def _steps_lines(seen: Look, plan: Plan, verbose: bool) -> list[str]:
    """What is planned, in order, and what a person has to do."""
    lines = []
    if plan.to_apply:
        lines += [f"for {_and(_treated(seen.diagnoses, plan))}, in this order:", ""]
    for number, step in enumerate(plan.to_apply, 1):
        lines += _step_lines(step, str(number), verbose)
    for step in plan.steps:
        if step not in plan.to_apply:
            lines += ["", *_step_lines(step, "by hand, netdoctor does not do this:", verbose=True)]
    return lines


def _on_the_node_lines(plan: Plan) -> list[str]:
    """How many repairs a recording does not tell enough for, and what that means for the rehearsal."""
    names = list(dict.fromkeys(name for _, remedies in plan.on_the_node for name in remedies))
    if not names:
        return []
    count = "1 repair is" if len(names) == 1 else f"{len(names)} repairs are"
    partial = "; the rehearsal is therefore partial" if plan.to_apply else ""
    return ["", f"! {count} planned on the node only, not from a recording: {', '.join(names)}{partial}"]


def _shown(diagnoses: Iterable[Diagnosis], plan: Plan) -> list[NotRepairable]:
    """What is not repaired, without what a cause explains that is not repaired either."""
    left = {item.probe for item in plan.not_repairable}
    explained = {finding.probe for d in diagnoses if d.cause.probe in left for finding in d.symptoms}
    return [item for item in plan.not_repairable if item.probe not in explained]


def _instead(item: NotRepairable, diagnoses: Iterable[Diagnosis], recorded: bool) -> list[str]:
    """Why it is not repaired; or the commands that a person can type, with the values found."""
    by_hand = [line for d in diagnoses if d.cause.probe == item.probe for line in d.cause.by_hand]
    if not by_hand:
        return [f"  {item.reason}"]
    where = "on the node, by hand:" if recorded else "by hand:"
    return [f"  {where}", *(f"    {line}" for line in by_hand)]


def _causes(diagnoses: Iterable[Diagnosis]) -> list[str]:
    words = {True: "CAUSE", False: "WARNING"}
    return [f"{words[d.cause.severity is Severity.ERROR]}  {d.cause.summary} ({d.cause.probe})" for d in diagnoses]


def _treated(diagnoses: Iterable[Diagnosis], plan: Plan) -> list[str]:
    """The causes that the plan is for: those that have a step, or whose symptoms have one."""
    probes = {step.probe for step in plan.to_apply}
    found = [d.cause.probe for d in diagnoses if probes & {d.cause.probe, *(f.probe for f in d.symptoms)}]
    return list(dict.fromkeys(found)) or sorted(probes)


def _step_lines(step: Step, number: str, verbose: bool) -> list[str]:
    """A step with its changes."""
    lines = [f"  {number} {step.name:{NAME_WIDTH}} {step.remedy.title}"]
    if not verbose:
        return lines + [f"    {line}" for change in step.changes for line in in_short(change)]
    lines.append(f"    why: {step.why}")
    for change in step.changes:
        lines.append(f"    {change.describe()}")
        lines += [f"      {line}" for line in change.diff().splitlines()]
        if sentence := left_alone(change):
            lines.append(f"      undo: {sentence}")
    lines.append(
        f"    verified by: {step.probe} must pass and nothing that passes now may break; otherwise the change is "
        "rolled back"
    )
    return lines


def tally_lines(plan: Plan) -> list[str]:
    """How much would be changed, and what of it undo does not restore; nothing where nothing is to be made."""
    changes = [change for step in plan.to_apply for change in step.changes]
    if not changes:
        return []
    kinds: dict[str, set[str]] = {}
    for change in changes:
        for kind, which in touched(change):
            kinds.setdefault(kind, set()).add(which)
    parts = [_counted(len(plan.to_apply), "repair{s}"), *(_counted(len(found), kind) for kind, found in kinds.items())]
    stays = list(dict.fromkeys(sentence for change in changes if (sentence := left_alone(change))))
    undo = [f"undo restores all of it, except: {'; '.join(stays)}"] if stays else ["undo restores all of it."]
    return ["", f"Plan: {', '.join(parts)}.", *undo, _after_a_boot(changes)]


def _after_a_boot(changes: Iterable[Change]) -> str:
    """Whether the next boot brings back what these changes repair, and why."""
    back = list(dict.fromkeys(why for change in changes if (why := comes_back(change))))
    return f"a reboot brings it back: {'; '.join(back)}" if back else "what is repaired stays repaired after a reboot."


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind.format(s='' if count == 1 else 's')}"


def step_line(outcome: StepOutcome, catalogue: Catalogue) -> str:
    """What became of one step; of one that was proved, what is true now."""
    sign, words = ENDS[outcome.end]
    probe = catalogue.probes.get(outcome.probe)
    why = probe.healthy_title if probe and outcome.end is StepEnd.PROVED else outcome.why
    return f"  {sign} {outcome.remedy:{NAME_WIDTH}} {words}: {why}"


def nothing_made_lines(plan: Plan, seen: Look, refused: str, dry_run: bool, command: str) -> list[str]:
    """The end where nothing was made. `refused`: the refusal of a dry run's repair; `command` makes the changes."""
    if plan.to_apply and not dry_run:
        return ["", "Nothing was changed."]
    if plan.to_apply:
        would = f"It would be {refused}" if refused else f"To make these changes: {command}"
        return ["", f"Nothing was changed. {would}"]
    if seen.diagnoses:
        pages = dict.fromkeys(f"netdoctor explain {diagnosis.cause.probe}" for diagnosis in seen.diagnoses)
        return ["", f"netdoctor does not repair this by itself; what it means: {', '.join(pages)}"]
    results = seen.results.values()
    if why := without_node(result.reason for result in results):
        return cannot_check(why, "fix")
    if any(result.outcome in UNASKED for result in results):
        return unasked_lines(results, "nothing to repair was found")
    return [f"HEALTHY  nothing to repair, {_counted(_passing(seen), 'check{s}')} pass"]


def end_lines(first: Look, outcomes: Outcomes, run: str, seconds: float) -> list[str]:
    """How the node is after a repair of so many seconds. `first`: how it was before."""
    last = outcomes.last
    code = last.report().exit_code
    if code == 0:
        failed = sum(result.outcome is Outcome.FAIL for result in first.results.values())
        made = _counted(sum(step.end is StepEnd.PROVED for step in outcomes.steps), "repair{s}")
        passing = _counted(_passing(last), "check{s}")
        lines = [f"HEALTHY  {passing} pass, {failed} failed before; {made} in {seconds:.1f} s"]
    elif code == 1:
        lines = ["remaining problems:", *(f"  {line}" for line in _causes(last.diagnoses))]
        lines.append("  see    sudo netdoctor check")
    else:
        lines = unasked_lines(last.results.values(), "no faults found")
    return ["", *lines, *([f"  undo   sudo netdoctor undo   (run {run})"] if outcomes.changed else [])]


def _passing(seen: Look) -> int:
    return sum(result.outcome is Outcome.PASS for result in seen.results.values())


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def as_json(
    plan: Plan,
    outcomes: Outcomes | None,
    last: Look,
    run: str,
    dry_run: bool,
    rehearsal: Rehearsal | None,
    why_not: str,
    confirmation: Confirmation | None = None,
) -> str:
    """The plan, its rehearsal, what became of each step, and the report of the last look, as one JSON document.

    `confirmation`: how a repair ended that had to be confirmed. `healthy` is the node after that.
    """
    steps: list[dict[str, Any]] = [
        {
            "remedy": step.name,
            "probe": step.probe,
            "risk": step.risk,
            "why": step.why,
            "changes": [
                {"kind": c.kind, "describe": c.describe(), "diff": c.diff(), "left_alone": left_alone(c)}
                for c in step.changes
            ],
        }
        for step in plan.steps
    ]
    done = [
        {"remedy": s.remedy, "probe": s.probe, "end": s.end, "why": s.why, "changes": [c.describe() for c in s.changes]}
        for s in (outcomes.steps if outcomes else ())
    ]
    rest = [{"probe": n.probe, "summary": n.summary, "reason": n.reason} for n in plan.not_repairable]
    report = last.report()
    whole = {
        "schema_version": 2,
        "tool": f"netdoctor {__version__}",
        "dry_run": dry_run,
        "run": run or None,
        "declined": bool(plan.to_apply) and outcomes is None and not dry_run,
        "rehearsal": rehearsal_json(rehearsal, why_not),
        "plan": steps,
        "not_repairable": rest,
        "steps": done,
        "confirmation": _confirmation_json(confirmation),
        "healthy": report.exit_code == 0 and not _is_lost(confirmation),
        "report": as_data(report_document(report)),
    }
    return json_text(whole)


def _is_lost(confirmation: Confirmation | None) -> bool:
    """Whether nobody kept the repair."""
    return confirmation is not None and confirmation.state not in (Kept.PENDING, Kept.KEPT)


def _confirmation_json(confirmation: Confirmation | None) -> dict[str, Any] | None:
    """Whether the repair is kept, and while that is open, what keeps it."""
    if confirmation is None:
        return None
    keep = "sudo netdoctor confirm" if confirmation.state is Kept.PENDING else None
    return {"seconds": confirmation.seconds, "state": confirmation.state, "keep": keep}
