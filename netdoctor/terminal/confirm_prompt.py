"""The question whether a repair that was made is kept, asked on a terminal until its time is over.

ENTER (or y) keeps it, n undoes it at once, and anything else is asked for once more. What was typed before the question
stood there counts for nothing.
"""

from __future__ import annotations

import select
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from netdoctor.errors import Locked
from netdoctor.repair.confirm_timer import Timer
from netdoctor.repair.confirmation import forget, give_up, pending, timer_runs
from netdoctor.repair.journal import Closed, Journal, load
from netdoctor.repair.runs import locked

GLANCE = 0.2
BUSY = 0.1
UNDOING = 60.0  # seconds for the timer to have undone it
KEEP, UNDO = ("", "y", "yes"), ("n", "no")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a run is kept, and what became of it in one sentence."""

    kept: bool
    sentence: str


def answered(journal: Journal, say: Callable[[str], None]) -> Decision:
    """Wait for ENTER on the terminal, for `netdoctor confirm` or `netdoctor undo`, or for the timer.

    `say` writes over the line that it wrote before. The lock must be free. Raises JournalError, KeyboardInterrupt.
    """
    told = -1
    forget_what_was_typed()
    while (found := pending()) is not None and found.run == journal.run and found.left:
        left = round(found.left)
        if left != told:
            say(f"Keep it? Press ENTER within {found.seconds} s, else it is undone. {left}")
            told = left
        if not select.select([sys.stdin], [], [], GLANCE)[0]:
            continue
        line = sys.stdin.readline()
        if not line:  # the terminal is gone
            raise KeyboardInterrupt
        answer = line.strip().lower()
        if answer in KEEP and _done(journal.run, forget):
            return Decision(True, f"run {journal.run} is kept")
        if answer in UNDO and _done(journal.run, give_up):
            break
        told = -1
    _await_the_undo(journal.run)
    return _how_it_stands(journal)


def forget_what_was_typed() -> None:
    """Let only what is typed from now on be an answer; standard input is a terminal."""
    with suppress(termios.error):  # of a terminal that another session has in the foreground
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _done(run: str, what: Callable[[str], object]) -> bool:
    """Do this under the lock, waiting while another holds it; False where the run's time is over before."""
    while (found := pending()) is not None and found.run == run and found.left:
        try:
            with locked():
                what(run)
                return True
        except Locked:
            time.sleep(BUSY)
    return False


def _await_the_undo(run: str) -> None:
    """Wait for the timer to undo the run; where there is none any more, do what it would do."""
    end = time.monotonic() + UNDOING
    while (found := pending()) is not None and found.run == run and time.monotonic() < end:
        if not found.left and not timer_runs():
            Timer(run).wait()
        time.sleep(GLANCE)


def _how_it_stands(journal: Journal) -> Decision:
    now = load(journal.path).closed
    if pending() is None and now is journal.closed:
        return Decision(True, f"run {journal.run} is kept")
    if now is Closed.NOT_CONFIRMED:
        return Decision(False, f"run {journal.run} was not confirmed, and is undone")
    return Decision(False, f"run {journal.run} is not kept; what of it is in force: sudo netdoctor undo --list")
