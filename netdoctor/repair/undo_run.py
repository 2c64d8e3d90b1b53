"""A whole run undone: its changes newest first, how that ended written down, and one sentence about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netdoctor.errors import JournalError
from netdoctor.repair.journal import Closed, EntryState, Journal, reopen
from netdoctor.repair.rollback import Taken, undo


@dataclass(frozen=True, slots=True)
class UndoneRun:
    """How an undo has ended."""

    sentence: str
    stuck: str  # why not everything was undone; "" where it was
    unwritten: bool  # the journal could not be brought up to date

    @property
    def whole(self) -> bool:
        """Whether it is all done."""
        return not self.stuck and not self.unwritten


def undo_run(
    journal: Journal, say: Callable[[str], None], *, force: bool = False, how: Closed = Closed.UNDONE
) -> UndoneRun:
    """Undo what of a run is in force. `how`: what its journal says of the end where all of it went.

    `force` leaves alone what somebody else has changed since, and undoes the rest. Raises JournalError where the
    journal cannot be opened again.
    """
    reopen(journal)
    entries = journal.in_force
    proved = journal.ended is not None or not journal.unfinished
    begun = journal.ended is not None and journal.closed is None  # by an undo that was interrupted
    taken, unwritten = undo(entries, journal, say, force=force), ""
    some = any(entry.state is EntryState.UNDONE for entry in (journal.entries if begun else entries))
    for entry in taken.drifted if force else ():
        journal.note(entry, EntryState.UNDONE)  # given up: it is somebody else's now
    ended = how
    if journal.in_force:
        ended = Closed.PARTLY_UNDONE if some else journal.ended or Closed.COMMITTED
    if ended is how or proved:  # what was never proved stays unfinished
        unwritten = _closed(journal, ended)
    return UndoneRun(_sentence(journal, taken, some, force) + unwritten, taken.stuck, bool(unwritten))


def _closed(journal: Journal, how: Closed) -> str:
    """Write down how a run has ended; "", or that it could not be written and what follows from that."""
    try:
        journal.close(how)
    except JournalError as error:
        return f", but {error}: until it can be, netdoctor treats the run as in force"
    return ""


def _sentence(journal: Journal, taken: Taken, some: bool, force: bool) -> str:
    """What became of the run, and what to do where something of it is in force. `some`: something of it is undone."""
    if not taken.stuck:
        return f"run {journal.run} is undone"
    if not journal.in_force:
        return f"run {journal.run} is undone except for what somebody else has changed"
    if force:
        advice = "netdoctor undo tries it again"
    elif taken.failed:
        advice = "netdoctor undo tries it again, and with --force it undoes the rest first"
    else:
        advice = "netdoctor undo --force leaves that and undoes the rest"
    return f"run {journal.run} is {'undone in part' if some else 'not undone'}: {taken.stuck}; {advice}"
