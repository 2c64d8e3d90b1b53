"""The question whether a repair that was made is kept, asked on a terminal until its time is over."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable

from netdoctor.confirmation import forget, pending
from netdoctor.errors import Locked
from netdoctor.journal import Closed, Journal, load
from netdoctor.runs import locked

GLANCE = 0.2
UNDOING = 60.0  # seconds for the timer to have undone it


def is_kept(journal: Journal, say: Callable[[str], None]) -> bool:
    """Wait for ENTER on the terminal, for `netdoctor confirm`, or for the timer; whether the run is kept.

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
                    return True
        except Locked:  # the timer was quicker
            break
    end = time.monotonic() + UNDOING
    while pending() is not None and time.monotonic() < end:
        time.sleep(GLANCE)
    return load(journal.path).closed is not Closed.NOT_CONFIRMED
