"""What the user agrees to before anything is changed: a plan that was shown and rehearsed, exactly as it is made."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from dataclasses import dataclass

import click

from netdoctor.diagnosis.check import Look
from netdoctor.errors import NetdoctorError, NoConsent
from netdoctor.model import Change
from netdoctor.output.rehearsal_text import lines
from netdoctor.output.repair_text import plan_lines, tally_lines
from netdoctor.redact import one_line
from netdoctor.rehearsal.rehearsal import Rehearsal, insist, rehearse
from netdoctor.repair.confirmation import pending
from netdoctor.repair.plan import Plan, Step
from netdoctor.terminal.confirm_prompt import forget_what_was_typed

YES = ("y", "yes")
GLANCE = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user has chosen on the command line of `netdoctor fix`."""

    dry_run: bool
    yes: bool
    only: tuple[str, ...]
    allow_exposure: bool
    without_rehearsal: bool
    rehearse_daemon: bool
    output: str
    verbose: bool = False
    confirm: int = 0  # seconds until it is undone, unless it is kept; 0: it is kept


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A plan on a copy of the node; or why it could not be rehearsed, "" where there is nothing to."""

    rehearsal: Rehearsal | None
    why_not: str

    @property
    def refused(self) -> str:
        """Why the plan must not be made; "" where nothing speaks against it."""
        return self.rehearsal.refusal if self.rehearsal else self.why_not


class Agreement:
    """Shows plans, rehearses them and asks for them. No step passes that was not agreed to as it is made."""

    def __init__(self, choices: Choices, say: Callable[[list[str]], None]) -> None:
        """`say` writes lines to the user."""
        self.choices = choices
        self._say = say
        self._agreed: list[tuple[str, tuple[Change, ...]]] = []

    def rehearse(self, plan: Plan, seen: Look) -> Rehearsed:
        """Make the plan on a copy of the node's network."""
        changes = [change for step in plan.to_apply for change in step.changes]
        if not changes:
            return Rehearsed(None, "")
        if self.choices.without_rehearsal:
            return Rehearsed(None, "--without-rehearsal was given")
        opens = {access for step in plan.to_apply for access in step.remedy.opens}
        try:
            return Rehearsed(rehearse(seen.facts, changes, opens, with_daemon=self.choices.rehearse_daemon), "")
        except (NetdoctorError, OSError) as error:
            return Rehearsed(None, str(error))

    def show(self, plan: Plan, seen: Look, rehearsed: Rehearsed) -> None:
        """Tell what would be changed, and what a copy of the node shows of it."""
        verbose = self.choices.verbose
        found = plan_lines(seen, plan, verbose=verbose)
        found += lines(rehearsed.rehearsal, rehearsed.why_not, verbose=verbose)
        self._say([*found, *tally_lines(plan)])

    def agree(self, plan: Plan, rehearsed: Rehearsed) -> bool:
        """Whether the user wants a plan that was shown. Raises Exposed, NotRehearsable, NoConsent."""
        self._insist(rehearsed)
        agreed = self.choices.yes or _asked(plan)
        if agreed:
            self._agreed += [_what(step) for step in plan.to_apply]
        return agreed

    def further(self, plan: Plan, seen: Look) -> bool:
        """Whether a plan may be made that comes after one which was agreed to. Raises as `agree` does.

        It is rehearsed on the node as it is now; what the user has not agreed to yet is shown and asked for.
        """
        rehearsed = self.rehearse(plan, seen)
        if all(_what(step) in self._agreed for step in plan.to_apply):
            self._insist(rehearsed)
            return True
        self._say(["", "the node is not as it was when the repair was planned; what is planned now:"])
        self.show(plan, seen, rehearsed)
        return self.agree(plan, rehearsed)

    def refusal(self, rehearsed: Rehearsed) -> str:
        """Why the plan would be refused, with what the user has chosen; "" where nothing speaks against it."""
        try:
            self._insist(rehearsed)
        except NetdoctorError as error:
            return str(error)
        return ""

    def _insist(self, rehearsed: Rehearsed) -> None:
        if not self.choices.without_rehearsal:
            insist(rehearsed.rehearsal, self.choices.allow_exposure, rehearsed.why_not)


def _what(step: Step) -> tuple[str, tuple[Change, ...]]:
    return step.name, step.changes


def _asked(plan: Plan) -> bool:
    """Ask on the terminal; only y or yes is one, typed after the question. Raises NoConsent where there is none.

    While a run waits to be confirmed, silence is a no when its time is over. Raises KeyboardInterrupt, JournalError.
    """
    count = len(plan.to_apply)
    repairs = "this repair" if count == 1 else f"these {count} repairs"
    if not is_on_a_terminal():
        raise NoConsent(f"nothing was changed: without a terminal nobody can be asked; --yes makes {repairs}")
    forget_what_was_typed()
    click.echo(err=True)
    click.echo(one_line(f"Make {repairs}? [y/N]") + " ", nl=False, err=True)
    while not select.select([sys.stdin], [], [], GLANCE)[0]:
        waits = pending()
        if waits is not None and not waits.left:  # what was made before must not wait for this answer
            click.echo("no answer in time", err=True)
            return False
    return sys.stdin.readline().strip().lower() in YES


def is_on_a_terminal() -> bool:
    """Whether a person sees the question and can answer it."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
