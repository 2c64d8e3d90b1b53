"""The timer of a repair that waits to be confirmed: a process that undoes the run when its time is over.

It gives up for nothing but an end: where a file is damaged, the folder cannot be written or a change cannot be undone,
it tries again. What somebody else has changed since is left alone, and does not keep the rest from being undone.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import click

from netdoctor.errors import JournalError, Locked, NetdoctorError
from netdoctor.redact import one_line
from netdoctor.repair.confirmation import Pending, being_the_timer, forget, pending
from netdoctor.repair.journal import Closed
from netdoctor.repair.runs import holder, locked, readable_runs
from netdoctor.repair.undo_run import undo_run
from netdoctor.system.output_gate import install

GLANCE = 0.5  # seconds between looks whether it was kept
BUSY = 0.1
AGAIN = 3.0  # seconds until an undo that failed is tried again
STOPPED = 180.0  # seconds after the end in which a netdoctor that holds the lock says nothing: it was stopped


class Timer:
    """What one timer knows of the run that it waits for."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._last: Pending | None = None  # as the file said it when it could be read
        self._at_once = False  # SIGTERM: this process has to end
        self._said = ""

    def hurry(self, *_: object) -> None:
        """Undo the run now: nobody will be there later."""
        self._at_once = True

    def wait(self) -> None:
        """Wait for the end of the run's time, and undo it then unless somebody has kept it."""
        while True:
            try:
                found = self._found()
                if found is None:
                    return
                if found.left and not self._at_once:
                    time.sleep(min(found.left, GLANCE))
                    continue
                with locked():
                    if self._undone():
                        return
                pause = AGAIN
            except Locked:  # netdoctor is at work, and will put the end off or let go
                self._end_who_was_stopped()
                pause = BUSY
            except (NetdoctorError, OSError) as error:
                self._say(str(error))
                pause = GLANCE
            time.sleep(pause)

    def _found(self) -> Pending | None:
        """What waits, if it is this run. Where the file is damaged its last words count. Raises JournalError."""
        try:
            found = pending()
        except JournalError:
            if self._last is None:
                raise
            return self._last
        self._last = found if found is not None and found.run == self.run else None
        return self._last

    def _undone(self) -> bool:
        """Undo the run, unless it was kept or its end put off meanwhile; whether it is all done.

        Raises JournalError where its journal cannot be read.
        """
        found = self._found()
        if found is None:
            return True
        if found.left and not self._at_once:
            return False
        journal = next((journal for journal in readable_runs()[0] if journal.run == self.run), None)
        if journal is None:
            raise JournalError(f"the journal of run {self.run} cannot be read")
        if journal.in_force:
            self._say(undo_run(journal, self._say, force=True, how=Closed.NOT_CONFIRMED).sentence)
        if journal.in_force:
            return False
        with suppress(JournalError):  # where its file is damaged, whoever reads it is told so
            forget(self.run)
        return True

    def _end_who_was_stopped(self) -> None:
        """End a netdoctor that has held the lock long after the end: stopped by Ctrl-Z, or its terminal is blocked."""
        pid = holder()
        if pid and self._last is not None and self._last.overdue > STOPPED:
            self._say(f"netdoctor (pid {pid}) holds the lock and does nothing: it is killed")
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _say(self, line: str) -> None:
        """For the journal of systemd, where it runs; each sentence once."""
        if line != self._said:
            self._said = line
            with suppress(OSError):
                click.echo(one_line(line), err=True)


def main(run: str) -> None:
    """Be the timer of a run until it is undone or kept."""
    timer = Timer(run)
    for number in (signal.SIGHUP, signal.SIGINT):  # they come from the session, and that may go
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, timer.hurry)
    install()
    with suppress(NetdoctorError):
        readable_runs()  # loads what an undo needs: netdoctor may be upgraded meanwhile
    with being_the_timer(run):
        timer.wait()
