"""The timer of a repair that waits to be confirmed: a process that undoes the run when its time is over."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import click

from netdoctor.confirmation import being_the_timer, forget, pending
from netdoctor.errors import Locked
from netdoctor.journal import Closed
from netdoctor.output_gate import install
from netdoctor.redact import one_line
from netdoctor.runs import locked, readable_runs
from netdoctor.undo_run import undo_run

GLANCE = 0.5  # seconds between looks whether it was kept
BUSY = 0.1


def main(run: str) -> None:
    """Wait for the end of a run's time, and undo it then unless somebody has kept it."""
    for number in (signal.SIGHUP, signal.SIGINT):  # they come from the session, and that may go
        signal.signal(number, signal.SIG_IGN)
    install()
    with being_the_timer():
        while True:
            found = pending()
            if found is None or found.run != run:
                return
            if found.left:
                time.sleep(min(found.left, GLANCE))
                continue
            try:
                with locked():
                    if _undone(run):
                        return
            except Locked:  # netdoctor is at work, and will put the end off or let go
                time.sleep(BUSY)


def _undone(run: str) -> bool:
    """Undo the run, unless it was kept or its end put off meanwhile; whether nothing is left to do."""
    found = pending()
    if found is None or found.run != run:
        return True
    if found.left:
        return False
    for journal in readable_runs()[0]:
        if journal.run == run and journal.in_force:
            _say(undo_run(journal, _say, how=Closed.NOT_CONFIRMED).sentence)
    forget(run)
    return True


def _say(line: str) -> None:
    """For the journal of systemd, where it runs."""
    with suppress(OSError):
        click.echo(one_line(line), err=True)
