"""The question whether a repair that was made is kept, asked on a terminal until its time is over."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from netdoctor.confirmation import forget, pending
from netdoctor.errors import Locked
from netdoctor.journal import Closed, Journal, load
from netdoctor.runs import locked

GLANCE = 0.2
UNDOING = 60.0  # seconds for the timer to have undone it


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a run is kept, and what became of it in one sentence."""

    kept: bool
    sentence: str


def answered(journal: Journal, say: Callable[[str], None]) -> Answer:
    """Wait for ENTER on the terminal, for `netdoctor confirm` or `netdoctor undo`, or for the timer.

    `say` writes over the line that it wrote before. The lock must be free. Raises JournalError, KeyboardInterrupt.
    """
    told = -1
    while (found := pending()) is not None and found.run == journal.run and found.left:
        left = round(found.left)
        if left != told:
            say(f"Keep it? Press ENTER within {found.seconds} s, else it is undone. {left}")
            told = left
        if not select.select([sys.stdin], [], [], GLANCE)[0]:
            continue
        if not sys.stdin.readline():  # the terminal is gone
            break
        try:
            with locked():
                if forget(journal.run):
                    break
        except Locked:  # the timer was quicker
            break
    end = time.monotonic() + UNDOING
    while pending() is not None and time.monotonic() < end:
        time.sleep(GLANCE)
    return _how_it_stands(journal)


def _how_it_stands(journal: Journal) -> Answer:
    now = load(journal.path).closed
    if pending() is None and now is journal.closed:
        return Answer(True, f"run {journal.run} is kept")
    if now is Closed.NOT_CONFIRMED:
        return Answer(False, f"run {journal.run} was not confirmed, and is undone")
    return Answer(False, f"run {journal.run} is not kept; what of it is in force: sudo netdoctor undo --list")
