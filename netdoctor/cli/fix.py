"""`netdoctor fix`: repair what is wrong, prove it, or roll it back."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from netdoctor.terminal.cluster_options import cluster_access
from netdoctor.terminal.contradictions import never_together
from netdoctor.terminal.recording_options import recording
from netdoctor.terminal.seconds import Seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import Look
    from netdoctor.recording.confinement import Judgement
    from netdoctor.repair.confirmation import Confirmation
    from netdoctor.repair.executor import Outcomes
    from netdoctor.repair.journal import Journal
    from netdoctor.repair.plan import Plan
    from netdoctor.repair.proof import LookAgain
    from netdoctor.terminal.consent import Agreement, Choices, Rehearsed

CONFIRM = Seconds(5, 3600)
FAILED = ("rolled-back", "not-undone")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the exact changes without applying them.")
@click.option("-y", "--yes", is_flag=True, help="Make the changes that are shown without asking.")
@click.option("-v", "--verbose", is_flag=True, help="Show every rule that changes, and every connection that opens.")
@click.option("--only", multiple=True, metavar="ID", help="Make only the repair with this name, or for this fault.")
@click.option(
    "--confirm",
    type=CONFIRM,
    help=f"Undo it after {CONFIRM.in_words}, unless ENTER is pressed or netdoctor confirm says to keep it.",
)
@click.option(
    "--allow-exposure", is_flag=True, help="Apply even if the rehearsal opens more access than the repair needs."
)
@click.option("--without-rehearsal", is_flag=True, help="Repair without a rehearsal: nothing shows whom it cuts off.")
@click.option("--rehearse-daemon", is_flag=True, help="Rehearse firewalld's part with a second firewalld (1 to 5 s).")
@click.option("--resume", is_flag=True, help="Keep what an interrupted repair has changed, and go on.")
@recording("With --dry-run, plan and rehearse the repair of", "a recorded node")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Format of standard output.")
@cluster_access
@never_together(
    ("--dry-run", "--yes", "a dry run changes nothing that could be agreed to"),
    ("--dry-run", "--confirm", "a dry run changes nothing that could be undone"),
    ("--dry-run", "--resume", "a dry run goes on with nothing"),
    ("--without-rehearsal", "--rehearse-daemon", "one leaves out what the other does more thoroughly"),
)
@click.pass_context
def command(
    ctx: click.Context,
    dry_run: bool,
    yes: bool,
    verbose: bool,
    only: tuple[str, ...],
    confirm: int | None,
    allow_exposure: bool,
    without_rehearsal: bool,
    rehearse_daemon: bool,
    resume: bool,
    facts_file: str | None,
    trust_recording: bool,
    output: str,
) -> None:
    """Repair this host: show each change, ask, make it, and prove it by the probe that failed, or roll it back.

    Before anything is touched the repair is rehearsed on a copy of the node's network: flows that fail now must
    pass there, nothing that works may break, nobody who is connected now may be cut off, and nothing may open that the
    repair is not meant to open. A repair that cannot be rehearsed is not made. If the node has changed since the plan
    was made, the new plan is shown and rehearsed, and you are asked again.

    \b
    Examples:
      sudo netdoctor fix --dry-run
      sudo netdoctor fix --confirm 60

    Exit status: 0 healthy, 1 faults remain or a repair was rolled back, 2 nobody agreed, 3 could not tell or could
    not do.
    """
    from contextlib import ExitStack

    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.repair.runs import locked
    from netdoctor.repair.unfinished import deal_with_unfinished
    from netdoctor.terminal.as_root import require_root
    from netdoctor.terminal.consent import Choices
    from netdoctor.terminal.recorded_repair import require_known, show_plan

    choices = Choices(
        dry_run, yes, only, allow_exposure, without_rehearsal, rehearse_daemon, output, verbose, confirm or 0
    )
    if facts_file:
        ctx.exit(show_plan(choices, facts_file, resume=resume, trusted=trust_recording))
    require_root("fix")
    catalogue = Catalogue.load()
    require_known(only, catalogue)
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(locked())
            deal_with_unfinished(resume)
        fixed = _fix(catalogue, choices)
    ctx.exit(_end(fixed, confirm or 0))


def judge(
    data: bytes, own_namespace: bool, width: int, colors: bool, only: list[str], allow_exposure: bool, verbose: bool,
    output: str,
) -> Judgement:  # fmt: skip
    """The plan for a recorded node and its rehearsal, in a process that has given up its rights. Raises BadInput."""
    from netdoctor.terminal.consent import Choices
    from netdoctor.terminal.recorded_repair import judged

    choices = Choices(True, False, tuple(only), allow_exposure, False, False, output, verbose)
    return judged(data, choices, width, colors=colors, copies=own_namespace)


@dataclass(frozen=True)
class _Fixed:
    """The exit status, the run, None where nothing was to be made, and what tells the end once it is known."""

    status: int
    made: Journal | None
    tell: Callable[[Confirmation | None], None]


def _end(fixed: _Fixed, seconds: int) -> int:
    """Wait for the end of a repair that has to be confirmed, then tell how it ended; the exit status."""
    from netdoctor.repair.confirmation import Confirmation, Kept
    from netdoctor.terminal.kept import kept

    if not (seconds and fixed.made and fixed.made.in_force):
        fixed.tell(None)
        return fixed.status
    state = Kept.PENDING
    try:
        state = kept(fixed.made, seconds)
    finally:  # who waits no longer reads that it is pending
        fixed.tell(Confirmation(seconds, state))
    return max(fixed.status, 0 if state in (Kept.PENDING, Kept.KEPT) else 1)


def _fix(catalogue: Catalogue, choices: Choices) -> _Fixed:
    """Look, plan, rehearse, ask and repair. With --output json nothing is told yet."""
    from netdoctor.output.repair_text import as_json, end_lines
    from netdoctor.repair.plan import plan as make_plan

    if choices.dry_run:
        _say_what_is_unfinished()
    look_again = partial(_look, catalogue)
    first = look_again(True)
    plan = make_plan(catalogue, first, only=choices.only)
    changes_something = bool(plan.to_apply) and not choices.dry_run
    asks = changes_something and not choices.yes
    agreement = _agreement(choices, asks)
    rehearsed = agreement.rehearse(plan, first)
    if choices.output == "text" or asks:
        agreement.show(plan, first, rehearsed)
    last, run, outcomes, journal, begin = first, "", None, None, 0.0
    if changes_something and agreement.agree(plan, rehearsed):
        begin = time.monotonic()
        outcomes, journal = _repair(catalogue, plan, first, look_again, agreement)
        last, run = outcomes.last, journal.run
    if outcomes:
        told = end_lines(first, outcomes, run, time.monotonic() - begin)
    else:
        told = _nothing_made(plan, first, agreement.refusal(rehearsed), choices)
    if choices.output == "text":
        _say_lines(told)

    def tell(confirmation: Confirmation | None) -> None:
        if choices.output == "json":
            said = rehearsed.rehearsal, rehearsed.why_not, confirmation
            click.echo(as_json(plan, outcomes, last, run, choices.dry_run, *said))

    failed = _would_be_refused(choices, rehearsed) or _has_failed(outcomes)
    return _Fixed(max(last.report().exit_code, int(failed)), journal, tell)


def _nothing_made(plan: Plan, seen: Look, refused: str, choices: Choices) -> list[str]:
    """The end of a dry run, of a repair that nobody wanted, and where nothing is to be repaired."""
    from netdoctor.output.repair_text import nothing_made_lines

    words = ["sudo netdoctor fix", *(f"--only {name}" for name in choices.only)]
    words += ["--allow-exposure"] if choices.allow_exposure else []
    words += ["--without-rehearsal"] if choices.without_rehearsal else []
    return nothing_made_lines(plan, seen, refused, choices.dry_run, " ".join(words))


def _say_what_is_unfinished() -> None:
    from netdoctor.repair.runs import unfinished_notice

    _say_lines([f"! {notice}" for notice in unfinished_notice()], err=True)


def _look(catalogue: Catalogue, experiments: bool, only: Collection[str] | None = None) -> Look:
    """Look at this node, and show on the terminal what is waited for; `experiments` and `only` as `look` has them."""
    from netdoctor.diagnosis.check import look
    from netdoctor.facts import Facts
    from netdoctor.facts.gateways.scope import Scope
    from netdoctor.terminal.output import waiting

    with waiting() as watch:
        facts = Facts(context=(Scope(False, whole_state=True),))
        return look(catalogue, facts, only, watch, experiments=experiments)


def _agreement(choices: Choices, asks: bool) -> Agreement:
    """What shows the plan: on standard error where the user who is asked would not see it on standard output."""
    from netdoctor.terminal.consent import Agreement, is_on_a_terminal

    beside = choices.output == "json" or (asks and is_on_a_terminal() and not sys.stdout.isatty())
    return Agreement(choices, lambda lines: _say_lines(lines, err=beside))


def _would_be_refused(choices: Choices, rehearsed: Rehearsed) -> bool:
    """Whether a dry run has shown a repair that would not be made."""
    return choices.dry_run and not choices.without_rehearsal and bool(rehearsed.refused)


def _has_failed(outcomes: Outcomes | None) -> bool:
    """Whether a step was rolled back, or could not be."""
    return outcomes is not None and any(step.end in FAILED for step in outcomes.steps)


def _repair(
    catalogue: Catalogue, plan: Plan, first: Look, look_again: LookAgain, agreement: Agreement
) -> tuple[Outcomes, Journal]:
    """What became of the repair, and its run."""
    from netdoctor.output.repair_text import step_line
    from netdoctor.repair.confirmation import confirming
    from netdoctor.repair.executor import repair
    from netdoctor.repair.journal import begin
    from netdoctor.repair.runs import next_number
    from netdoctor.terminal.output import Unstopped

    journal, choices = begin(next_number()), agreement.choices
    say = Unstopped(lambda line: _say(f"    {line}", err=True))
    tell = Unstopped(lambda line: _say(line, err=choices.output == "json"))
    tell("")

    with confirming(journal, choices.confirm) as put_off:

        def look_and_put_off(experiments: bool, only: Collection[str] | None = None) -> Look:
            put_off()
            return look_again(experiments, only)

        try:
            outcomes = repair(
                catalogue, plan, first, look_and_put_off, journal, say, agreement.further, choices.only,
                ended=lambda outcome: tell(step_line(outcome, catalogue)),
            )  # fmt: skip
        except BaseException:
            if journal.closed and journal.in_force:
                stays = "stays; undo it: sudo netdoctor undo"
                goes = f"is undone in {choices.confirm} s, unless: sudo netdoctor confirm"
                say(f"run {journal.run}: what is proved {goes if choices.confirm else stays}")
            raise
    say.end()
    tell.end()
    return outcomes, journal


def _say(line: str, err: bool = False) -> None:
    _say_lines([line], err)


def _say_lines(lines: list[str], err: bool = False) -> None:
    from netdoctor.output.console import print_lines

    print_lines(lines, stderr=err)
