"""`netdoctor fix`: repair what is wrong, prove it, or take it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from netdoctor.cli_options import cluster_access

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdoctor.catalogue import Catalogue
    from netdoctor.check import Look
    from netdoctor.executor import Outcomes
    from netdoctor.model import Change
    from netdoctor.planner import Plan
    from netdoctor.twin.rehearsal import Rehearsal


NOT_TOLD = ("unknown", "blocked")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the exact change and make none.")
@click.option("--allow-exposure", is_flag=True, help="Repair also where the rehearsal lets in more than it has to.")
@click.option("--without-rehearsal", is_flag=True, help="Repair without a rehearsal: nothing shows whom it cuts off.")
@click.option("--rehearse-daemon", is_flag=True, help="Rehearse firewalld's part with a second firewalld (1 to 5 s).")
@click.option("--resume", is_flag=True, help="Keep what an interrupted repair has changed, and go on.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="What goes to stdout.")
@cluster_access
@click.pass_context
def command(
    ctx: click.Context,
    dry_run: bool,
    allow_exposure: bool,
    without_rehearsal: bool,
    rehearse_daemon: bool,
    resume: bool,
    output: str,
) -> None:
    """Repair this host: each change is shown, made, proved by the probe that failed, or taken back.

    Before anything is touched the repair is rehearsed on a copy of the node's network: flows that fail now have to
    pass there, nothing that works may break, nobody who is connected now may be cut off, and nothing may open that the
    repair is not for. A repair that cannot be rehearsed is not made.

    Exit status: 0 healthy, 1 faults remain or a repair was rolled back, 3 could not tell or could not do.
    """
    from contextlib import ExitStack

    from netdoctor.catalogue import Catalogue
    from netdoctor.errors import NetdoctorError
    from netdoctor.host import Host
    from netdoctor.runs import locked

    if not Host().is_root:
        raise NetdoctorError("netdoctor fix has to be run as root: sudo netdoctor fix")
    catalogue = Catalogue.load()
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(locked())
            _deal_with_unfinished(resume)
        ctx.exit(_fix(catalogue, Choices(dry_run, allow_exposure, without_rehearsal, rehearse_daemon, output)))


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user has chosen."""

    dry_run: bool
    allow_exposure: bool
    without_rehearsal: bool
    rehearse_daemon: bool
    output: str


def _fix(catalogue: Catalogue, choices: Choices) -> int:
    from netdoctor.check import look
    from netdoctor.cli_output import waiting
    from netdoctor.facts import Facts
    from netdoctor.facts.scope import Scope
    from netdoctor.planner import plan as make_plan
    from netdoctor.report.rehearsal_text import lines
    from netdoctor.runs import unfinished_notice

    def look_again() -> Look:
        with waiting() as watch:
            return look(catalogue, Facts(context=(Scope(False, whole_state=True),)), watch=watch)

    for notice in unfinished_notice() if choices.dry_run else ():
        _say(f"! {notice}", err=True)
    first = look_again()
    plan = make_plan(catalogue, first)
    rehearsal, why_not = _rehearse(plan, first, choices)
    if choices.output == "text":
        _say_lines([*_plan_text(first, plan), *lines(rehearsal, why_not)])
    outcomes, run = None, ""
    if plan.to_apply and not choices.dry_run:
        outcomes, run = _repair(catalogue, plan, first, look_again, choices, rehearsal, why_not)
    last = outcomes.last if outcomes else first
    status = last.report().exit_code
    if outcomes and any(step.end not in ("proved", "skipped") for step in outcomes.steps):
        status = max(status, 1)
    refused = rehearsal.refusal if rehearsal else why_not
    if choices.dry_run and refused and not choices.without_rehearsal:
        status = max(status, 1)
    if choices.output == "json":
        click.echo(_json(plan, outcomes, last, run, choices.dry_run, rehearsal, why_not))
    else:
        _say_lines(_end_text(plan, outcomes, last, run, choices.dry_run))
    return status


def _rehearse(plan: Plan, seen: Look, choices: Choices) -> tuple[Rehearsal | None, str]:
    """The repair on a copy of the node; or why it could not be rehearsed, "" where there is nothing to."""
    from netdoctor.errors import NetdoctorError
    from netdoctor.twin.rehearsal import rehearse

    changes = _changes(plan)
    if not changes:
        return None, ""
    if choices.without_rehearsal:
        return None, "--without-rehearsal was given"
    opens = {access for step in plan.to_apply for access in step.remedy.opens}
    try:
        return rehearse(seen.facts, changes, opens, with_daemon=choices.rehearse_daemon), ""
    except (NetdoctorError, OSError) as error:
        return None, str(error)


def _changes(plan: Plan) -> list[Change]:
    return [change for step in plan.to_apply for change in step.changes]


def _repair(
    catalogue: Catalogue,
    plan: Plan,
    first: Look,
    look_again: Callable[[], Look],
    choices: Choices,
    rehearsal: Rehearsal | None,
    why_not: str,
) -> tuple[Outcomes, str]:
    """What became of the repair, and the run's name. Raises Exposed, NotRehearsable before anything is touched."""
    from netdoctor.cli_output import Unstopped
    from netdoctor.executor import repair
    from netdoctor.journal import begin
    from netdoctor.runs import next_number
    from netdoctor.twin.rehearsal import insist

    if not choices.without_rehearsal:
        insist(rehearsal, choices.allow_exposure, why_not)
    journal, rehearsed = begin(next_number()), _changes(plan)

    def rehearse_again(plan: Plan, seen: Look) -> None:
        if choices.without_rehearsal or (seen is first and _changes(plan) == rehearsed):
            return
        further, reason = _rehearse(plan, seen, choices)
        insist(further, choices.allow_exposure, reason)

    say = Unstopped(lambda line: _say(f"  {line}", err=True))
    try:
        outcomes = repair(catalogue, first, look_again, journal, say, rehearse_again)
    except BaseException:
        if journal.closed and journal.in_force:
            say(f"run {journal.run}: what is proved stays; take it back: sudo netdoctor undo")
        raise
    say.end()
    return outcomes, journal.run


def _deal_with_unfinished(resume: bool) -> None:
    from netdoctor.errors import UnfinishedRun
    from netdoctor.journal import Closed, reopen
    from netdoctor.runs import unfinished, what_happened

    for journal in unfinished():
        if not resume:
            raise UnfinishedRun(
                f"{what_happened(journal)}: take it back with `netdoctor undo`, or keep what it changed and go on with "
                "`netdoctor fix --resume`"
            )
        reopen(journal)
        journal.close(Closed.RESUMED)


def _say(line: str, err: bool = False) -> None:
    from netdoctor.redact import one_line

    click.echo(one_line(line), err=err)


def _say_lines(lines: list[str]) -> None:
    from netdoctor.redact import block

    click.echo(block(lines))


def _plan_text(seen: Look, plan: Plan) -> list[str]:
    from netdoctor.changes import left_alone

    by = seen.report().kubeconfig
    lines = [f"kubeconfig {by}"] if by else []
    lines += [f"cause: {d.cause.summary} ({d.cause.probe})" for d in seen.diagnoses]
    for step in plan.steps:
        mine = step in plan.to_apply
        lines += ["", f"{step.name}: {step.remedy.title}" + ("" if mine else " (by hand: netdoctor does not do this)")]
        lines.append(f"  why: {step.why}")
        for change in step.changes:
            lines.append(f"  {change.describe()}")
            lines += [f"    {line}" for line in change.diff().splitlines()]
            if sentence := left_alone(change):
                lines.append(f"    undo: {sentence}")
        if mine:
            lines.append(f"  proof: {step.probe} passes, and whatever passes now still does; else it is taken back")
    for item in plan.not_repairable:
        lines += ["", f"not repaired: {item.summary} ({item.probe})", f"  {item.reason}"]
    return lines if plan.steps or plan.not_repairable or seen.diagnoses else [*lines, "nothing to repair"]


def _end_text(plan: Plan, outcomes: Outcomes | None, last: Look, run: str, dry_run: bool) -> list[str]:
    lines = [""]
    for step in outcomes.steps if outcomes else ():
        lines.append(f"{step.end}: {step.remedy}: {step.why}")
    if dry_run and plan.to_apply:
        lines.append("nothing was changed; sudo netdoctor fix makes these changes")
    elif not plan.to_apply and last.diagnoses:
        lines.append("netdoctor has no repair for this")
    code = last.report().exit_code
    if outcomes or not last.diagnoses:
        remains = "; ".join(d.cause.summary for d in last.diagnoses)
        unknown = ", ".join(f"{r.probe} is {r.outcome}" for r in last.results.values() if r.outcome in NOT_TOLD)
        words = {0: "healthy", 1: f"what remains: {remains}"}
        lines.append(words.get(code, f"no fault is left to see, but not everything could be asked: {unknown}"))
    if outcomes and outcomes.changed:
        lines.append(f"run {run}; take it back: sudo netdoctor undo")
    return lines


def _json(
    plan: Plan,
    outcomes: Outcomes | None,
    last: Look,
    run: str,
    dry_run: bool,
    rehearsal: Rehearsal | None,
    why_not: str,
) -> str:
    import json

    from netdoctor import __version__
    from netdoctor.changes import left_alone
    from netdoctor.report.rehearsal_text import as_json
    from netdoctor.report.schema import plain, to_json

    steps: list[dict[str, Any]] = [
        {
            "remedy": step.name, "probe": step.probe, "risk": step.risk, "why": step.why,
            "changes": [
                {"kind": c.kind, "describe": c.describe(), "diff": c.diff(), "left_alone": left_alone(c)}
                for c in step.changes
            ],
        }
        for step in plan.steps
    ]  # fmt: skip
    done = [
        {"remedy": s.remedy, "probe": s.probe, "end": s.end, "why": s.why, "changes": [c.describe() for c in s.changes]}
        for s in (outcomes.steps if outcomes else ())
    ]
    rest = [{"probe": n.probe, "summary": n.summary, "reason": n.reason} for n in plan.not_repairable]
    report = last.report()
    whole = {
        "schema_version": 1, "tool": f"netdoctor {__version__}", "dry_run": dry_run, "run": run or None,
        "rehearsal": as_json(rehearsal, why_not),
        "plan": steps, "not_repairable": rest, "steps": done, "healthy": report.exit_code == 0,
        "report": json.loads(to_json(report)),
    }  # fmt: skip
    return json.dumps(plain(whole), indent=1, ensure_ascii=False)
