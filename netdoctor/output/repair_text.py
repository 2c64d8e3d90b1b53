"""A repair in words and as JSON: what is planned, what became of each step, and how the node is then."""

from __future__ import annotations

import json
from typing import Any

from netdoctor import __version__
from netdoctor.changes import left_alone
from netdoctor.diagnosis.check import Look
from netdoctor.output.rehearsal_text import as_json as rehearsal_json
from netdoctor.output.report_json import to_json
from netdoctor.redact_data import plain
from netdoctor.rehearsal.rehearsal import Rehearsal
from netdoctor.repair.executor import Outcomes
from netdoctor.repair.plan import Plan, Step

NOT_TOLD = ("unknown", "blocked")


def plan_lines(seen: Look, plan: Plan) -> list[str]:
    """The causes, each step with its exact changes, and what is not repaired and why."""
    by = seen.report().kubeconfig
    lines = [f"kubeconfig {by}"] if by else []
    lines += [f"cause: {d.cause.summary} ({d.cause.probe})" for d in seen.diagnoses]
    for step in plan.steps:
        lines += _step_lines(step, mine=step in plan.to_apply)
    for item in plan.not_repairable:
        lines += ["", f"not repaired: {item.summary} ({item.probe})", f"  {item.reason}"]
    return lines if plan.steps or plan.not_repairable or seen.diagnoses else [*lines, "nothing to repair"]


def _step_lines(step: Step, *, mine: bool) -> list[str]:
    """A step with its exact changes; `mine`: netdoctor takes it."""
    lines = ["", f"{step.name}: {step.remedy.title}" + ("" if mine else " (by hand: netdoctor does not do this)")]
    lines.append(f"  why: {step.why}")
    for change in step.changes:
        lines.append(f"  {change.describe()}")
        lines += [f"    {line}" for line in change.diff().splitlines()]
        if sentence := left_alone(change):
            lines.append(f"    undo: {sentence}")
    if mine:
        lines.append(f"  proof: {step.probe} passes, and whatever passes now still does; else it is taken back")
    return lines


def end_lines(plan: Plan, outcomes: Outcomes | None, last: Look, run: str, dry_run: bool) -> list[str]:
    """What became of each step and how the node is now. `outcomes`: None where nothing was to be made."""
    lines = [""]
    for step in outcomes.steps if outcomes else ():
        lines.append(f"{step.end}: {step.remedy}: {step.why}")
    if why := _why_nothing_was_made(plan, outcomes, last, dry_run):
        lines.append(why)
    if outcomes or not last.diagnoses:
        lines.append(_how_it_is(last))
    if outcomes and outcomes.changed:
        lines.append(f"run {run}; take it back: sudo netdoctor undo")
    return lines


def _why_nothing_was_made(plan: Plan, outcomes: Outcomes | None, last: Look, dry_run: bool) -> str:
    if not plan.to_apply:
        return "netdoctor has no repair for this" if last.diagnoses else ""
    if dry_run:
        return "nothing was changed; sudo netdoctor fix makes these changes"
    return "nothing was changed" if outcomes is None else ""


def _how_it_is(last: Look) -> str:
    code = last.report().exit_code
    if code == 0:
        return "healthy"
    if code == 1:
        return f"what remains: {'; '.join(d.cause.summary for d in last.diagnoses)}"
    unknown = ", ".join(f"{r.probe} is {r.outcome}" for r in last.results.values() if r.outcome in NOT_TOLD)
    return f"no fault is left to see, but not everything could be asked: {unknown}"


def as_json(
    plan: Plan,
    outcomes: Outcomes | None,
    last: Look,
    run: str,
    dry_run: bool,
    rehearsal: Rehearsal | None,
    why_not: str,
) -> str:
    """The plan, its rehearsal, what became of each step, and the report of the last look, as one JSON document."""
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
        "schema_version": 1,
        "tool": f"netdoctor {__version__}",
        "dry_run": dry_run,
        "run": run or None,
        "declined": bool(plan.to_apply) and outcomes is None and not dry_run,
        "rehearsal": rehearsal_json(rehearsal, why_not),
        "plan": steps,
        "not_repairable": rest,
        "steps": done,
        "healthy": report.exit_code == 0,
        "report": json.loads(to_json(report)),
    }
    return json.dumps(plain(whole), indent=1, ensure_ascii=False)
