"""A plan that was shown and agreed to becomes changes: each is written down, made, and proved; or rolled back.

The plan is made once. For each step: each change to the journal, `check` (is the node still as the plan saw it?),
`apply`; a new look. The target probe must pass, and every probe that passed before must still pass; else the step's
changes are undone, newest first, and it is looked again. For that only these probes are asked, and those of the steps
to come; after the last step all of them, until the node has recovered. An error, Ctrl-C, SIGTERM or SIGHUP halfway
undoes the step too. Proved steps stay.

A step that is not proved ends the plan, and so does a node that is not as the plan saw it any more. What is left is
planned again from the newest look, and nothing of that is made before it was shown, rehearsed and agreed to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.wanted_changes import changes_of
from netdoctor.errors import Drifted, JournalError, NetdoctorError
from netdoctor.model import Change, Outcome
from netdoctor.repair.journal import Closed, EntryState, Journal
from netdoctor.repair.plan import Plan, Step
from netdoctor.repair.plan import plan as make_plan
from netdoctor.repair.proof import LookAgain, complete, guards_of, prove, rests_on_experiments, settled
from netdoctor.repair.rollback import undo
from netdoctor.system.host import Host

if TYPE_CHECKING:
    from netdoctor.diagnosis.check import Look

DRIFTS = 3  # a node that changes as often while it is repaired is somebody else's


class StepEnd(StrEnum):
    """What became of a step."""

    PROVED = "proved"
    ROLLED_BACK = "rolled-back"
    SKIPPED = "skipped"
    DRIFTED = "drifted"  # the node is not as the plan saw it any more: it is planned again
    LEFT = "not-undone"  # neither proved nor undone: somebody else has a hand in it


@dataclass(frozen=True)
class StepOutcome:
    """What became of a step, and why."""

    remedy: str
    probe: str
    end: StepEnd
    why: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Outcomes:
    """What became of each step, and how things look after the last one."""

    steps: tuple[StepOutcome, ...]
    last: Look

    @property
    def changed(self) -> bool:
        """Whether anything that was changed is still in force."""
        return any(step.end in (StepEnd.PROVED, StepEnd.LEFT) for step in self.steps)


Agree = Callable[[Plan, "Look"], bool]
Ended = Callable[[StepOutcome], None]


def repair(
    catalogue: Catalogue,
    plan: Plan,
    first: Look,
    look: LookAgain,
    journal: Journal,
    say: Callable[[str], None],
    agree: Agree,
    only: Collection[str] = (),
    ended: Ended = lambda _: None,
) -> Outcomes:
    """Execute a plan that was agreed to, then what is left, until no remedy that was not tried has anything to do.

    `first`: the look that `plan` was made from. `agree` is given each further plan before it touches anything: it
    shows and rehearses it, and says whether the user wants it; what it raises ends the repair. `only`: the repairs
    that the user has chosen. `say` is told what goes wrong, and `ended` each step's end as soon as it is known. The
    journal is closed at the end. Raises whatever interrupted it, after the step at hand was undone.
    """
    done: list[StepOutcome] = []
    seen, recovers = first, False
    try:
        while True:
            outcomes = execute(catalogue, plan, seen, look, journal, say, ended)
            done += outcomes.steps
            seen = outcomes.last
            recovers = _should_recover(plan, outcomes)
            if _is_somebody_elses(done):
                break
            seen = complete(settled(seen, look) if recovers else seen, look)
            tried = [step.remedy for step in done if step.end is not StepEnd.DRIFTED]
            plan = make_plan(catalogue, seen, tried, only)
            if not plan.to_apply or not agree(plan, seen):
                break
    except BaseException:
        with suppress(JournalError):  # what has ended the repair is what has to be said
            _close(journal)
        raise
    _close(journal)
    if not recovers and any(step.end is StepEnd.PROVED for step in done):
        seen = complete(settled(seen, look), look)
    return Outcomes(tuple(done), seen)


def _should_recover(plan: Plan, outcomes: Outcomes) -> bool:
    """Whether nothing that was planned for is expected to fail any more, once the node had a moment."""
    ends = {step.end for step in outcomes.steps}
    return StepEnd.PROVED in ends and ends <= {StepEnd.PROVED, StepEnd.SKIPPED} and not plan.not_repairable


def _is_somebody_elses(done: list[StepOutcome]) -> bool:
    """Whether somebody else changes the node while it is repaired, so that nothing more is planned."""
    drifts = sum(step.end is StepEnd.DRIFTED for step in done)
    return drifts >= DRIFTS or any(step.end is StepEnd.LEFT for step in done)


def _close(journal: Journal) -> None:
    in_force = journal.in_force
    if any(entry.state is not EntryState.VERIFIED for entry in in_force):
        return
    try:
        journal.close(Closed.COMMITTED if in_force else Closed.ROLLED_BACK)
    except JournalError as error:
        stands = "the repair is proved and stays, `netdoctor undo` undoes it" if in_force else "nothing is changed"
        lacks = "what was rolled back and that" if journal.unwritten else "nothing but that"
        raise JournalError(f"{error}; {stands}; the journal lacks {lacks} the run has ended") from error


def execute(
    catalogue: Catalogue,
    plan: Plan,
    first: Look,
    look: LookAgain,
    journal: Journal,
    say: Callable[[str], None],
    ended: Ended = lambda _: None,
) -> Outcomes:
    """Take the plan's safe steps in order, up to the first that fails; `say` and `ended` as `repair` has them.

    A step that is not needed any more is left out: kube-proxy, for one, writes its rules again by itself. One
    that cannot be rolled back leaves the journal open. Raises KeyboardInterrupt, and whatever is not an error
    of netdoctor's own, after the step at hand was undone; JournalError.
    """
    seen, done = first, list[StepOutcome]()
    for place, step in enumerate(plan.to_apply):
        on_copies = rests_on_experiments(catalogue, step.probe)
        if on_copies:
            seen = complete(seen, look)
        outcome = _not_as_planned(step, seen) if seen is not first else None
        if outcome is None:
            guards = guards_of(catalogue, seen)
            later = [each.probe for each in plan.to_apply[place + 1 :]]
            # what fails for another reason is asked after the last step: a question that nobody answers takes seconds
            asked = None if on_copies else [step.probe, *guards, *later]
            outcome, seen = _take(step, guards, partial(look, on_copies, asked), journal, say)
        done.append(outcome)
        ended(outcome)
        if outcome.end not in (StepEnd.PROVED, StepEnd.SKIPPED):
            break
    return Outcomes(tuple(done), seen)


def _not_as_planned(step: Step, seen: Look) -> StepOutcome | None:
    """Why a step of the plan is not taken, now that the steps before it were; None where it is."""
    result = seen.results.get(step.probe)
    if result is None or result.outcome is not Outcome.FAIL:
        return StepOutcome(step.name, step.probe, StepEnd.SKIPPED, f"{step.probe} no longer fails")
    changes, reason = changes_of(step.remedy, result.findings, seen.facts)
    if not changes:
        return StepOutcome(step.name, step.probe, StepEnd.SKIPPED, reason or "nothing needs to change")
    if changes != step.changes:
        return StepOutcome(step.name, step.probe, StepEnd.DRIFTED, "it would change something other than planned")
    return None


def _take(
    step: Step, guards: Collection[str], look: Callable[[], Look], journal: Journal, say: Callable[[str], None]
) -> tuple[StepOutcome, Look]:
    """Make a step's changes and prove them, or roll them back; the outcome, and how things look then.

    Raises what has ended it, after its changes were undone: JournalError, and whatever is not an error of netdoctor's.
    """
    begin, end = len(journal.entries), StepEnd.ROLLED_BACK
    try:
        _make(step, journal)
        seen, problem = prove(step.probe, guards, look)
        if not problem:
            for entry in journal.entries[begin:]:
                journal.mark(entry, EntryState.VERIFIED)
            return StepOutcome(step.name, step.probe, StepEnd.PROVED, f"{step.probe} passes", step.changes), seen
    except JournalError as error:
        say(f"rolling back: {error}")
        undo(journal.entries[begin:], journal, say)
        raise JournalError(f"{error}; {_what_stays(journal, begin)}") from error
    except Drifted as error:
        problem, end = str(error), StepEnd.DRIFTED
    except (NetdoctorError, OSError) as error:
        problem = str(error)
    except BaseException:
        undo(journal.entries[begin:], journal, say)
        raise
    say(f"{'the node has changed' if end is StepEnd.DRIFTED else 'rolling back'}: {problem}")
    taken = undo(journal.entries[begin:], journal, say)
    if taken.interrupted:
        raise KeyboardInterrupt
    seen = look()
    if taken.stuck:
        return StepOutcome(
            step.name, step.probe, StepEnd.LEFT, f"{problem}; not undone: {taken.stuck}", step.changes
        ), seen
    return StepOutcome(step.name, step.probe, end, problem, step.changes), seen


def _make(step: Step, journal: Journal) -> None:
    """Write each change of a step down, check it against the node, and make it.

    Raises Drifted, another NetdoctorError, or OSError where one cannot be made; the journal says how far it got.
    """
    host = Host(loads=True)
    for change in step.changes:
        entry = journal.plan(step.name, change)
        try:
            change.check(host)
        except (NetdoctorError, OSError):
            journal.note(entry, EntryState.UNDONE)  # it was not begun
            raise
        journal.begin(entry)
        change.apply(host)
        journal.mark(entry, EntryState.APPLIED)


def _what_stays(journal: Journal, begin: int) -> str:
    """What of a run is in force after its journal could not be written in the step whose first change is `begin`."""
    loose = [entry.change.describe() for entry in journal.in_force if entry.number >= begin]
    proved = [entry.change.describe() for entry in journal.in_force if entry.number < begin]
    words = [f"still in force: {', '.join(loose)}"] if loose else ["what was begun is rolled back"]
    if proved:
        words.append(f"proved, and stays: {', '.join(proved)}")
    if loose or proved:
        words.append("`netdoctor undo` undoes it once there is space")
    return "; ".join(words)
