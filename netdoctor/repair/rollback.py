"""Changes rolled back, newest first, and not to be interrupted in it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from netdoctor.changes import left_alone
from netdoctor.errors import Drifted, NetdoctorError
from netdoctor.repair.journal import Entry, EntryState, Journal
from netdoctor.repair.machine_id import this_boot
from netdoctor.system.clock import utc
from netdoctor.system.host import Host

MAYBE_MADE = (EntryState.PLANNED, EntryState.APPLYING)
LONGEST_MAKING = 60.0  # seconds from the record that a change begins until it is there

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


@dataclass
class Taken:
    """How a rollback has ended: what could not be undone, and whether somebody wanted it to end before."""

    drifted: list[Entry] = field(default_factory=list)  # somebody else has changed the same since
    failed: list[Entry] = field(default_factory=list)  # for any other reason: it may go another time
    reasons: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def stuck(self) -> str:
        """Why not everything was undone, "" where it was."""
        return "; ".join(self.reasons)


def undo(entries: Collection[Entry], journal: Journal, say: Callable[[str], None], force: bool = False) -> Taken:
    """Roll changes back, newest first; Ctrl-C, SIGTERM, SIGQUIT and SIGHUP wait until it is done, and are told.

    A change that cannot be undone stops it; with `force` the others are undone nevertheless. A journal that cannot
    be written stops nothing; that is said.
    """
    taken = Taken()
    with _uninterrupted(taken):
        left = [e for e in sorted(entries, key=lambda e: e.number, reverse=True) if e.state is not EntryState.UNDONE]
        told = False
        while left:
            entry = left.pop(0)
            if taken.interrupted and not told:
                say("rolling the changes back; this cannot be interrupted")
                told = True
            if not _take_back(entry, journal, say, taken) and not force:
                break
        for entry in left:
            say(f"still in force: {entry.change.describe()}")
        if journal.unwritten:
            say(f"{journal.path} cannot be written: `netdoctor undo` brings it up to date once there is space")
    return taken


def _take_back(entry: Entry, journal: Journal, say: Callable[[str], None], taken: Taken) -> bool:
    """Roll one change back, if netdoctor has made it. Whether that went; `taken` gets what did not go, and why."""
    if journal.never_made(entry):
        journal.note(entry, EntryState.UNDONE)
        say(f"never made: {entry.change.describe()}")
        return True
    if theirs := _made_by_somebody_else(entry, journal):
        journal.note(entry, EntryState.UNDONE)
        say(f"left as it is: {entry.change.describe()}: {theirs}")
        return True
    begun = entry.state in MAYBE_MADE
    try:
        if begun and journal.boot is None:
            _insist_that_it_was_not_made(entry)
        journal.note(entry, EntryState.UNDOING)
        stays = entry.change.undo(Host(loads=True))
    except Exception as error:  # whatever it is, the other changes have to go
        (taken.drifted if isinstance(error, Drifted) else taken.failed).append(entry)
        taken.reasons.append(_in_words(error))
        say(f"not undone: {entry.change.describe()}: {taken.reasons[-1]}")
        return False
    journal.note(entry, EntryState.UNDONE)
    if begun:
        say("it was begun and not marked as made: whatever of it is there is taken for netdoctor's")
    _say_undone(entry, stays, say)
    return True


def _say_undone(entry: Entry, stays: str | None, say: Callable[[str], None]) -> None:
    """Say that a change is undone, or left as it is, and what of it stays."""
    if sentence := left_alone(entry.change):
        say(f"left as it is: {sentence}")
    else:
        but = " but for what is somebody else's" if stays else ""
        say(f"undone{but}: {entry.change.describe()}")
    if stays:
        say(f"left as it is: {stays}")


def _made_by_somebody_else(entry: Entry, journal: Journal) -> str:
    """What shows that what is there now is not what the change has made; "" where nothing shows it."""
    rebooted = journal.boot is not None and this_boot() not in ("", journal.boot)
    if rebooted and getattr(entry.change, "until_boot", False) and not _is_kept_at_boot(entry, journal):
        return "the machine has rebooted since, and what it has now is not netdoctor's"
    if entry.state is not EntryState.APPLYING or entry.began is None:
        return ""
    made = getattr(entry.change, "written_at", None)
    when = made() if made else None
    if when is not None and abs(when - entry.began) > LONGEST_MAKING:
        return f"netdoctor was stopped before it made this, and somebody has made it at {utc(when)}"
    return ""


def _is_kept_at_boot(entry: Entry, journal: Journal) -> bool:
    """Whether a file of the same step makes the same at each boot."""
    return any(
        other.step == entry.step and other.change.kind == "file" and not journal.never_made(other)
        for other in journal.entries
    )


def _insist_that_it_was_not_made(entry: Entry) -> None:
    """Raise Drifted where something is there and nobody can tell who made it: older versions marked no beginning."""
    try:
        entry.change.check(Host())
    except Drifted as error:
        why = "the run was stopped before it was marked as made"
        raise Drifted(f"whether netdoctor or somebody else made it cannot be told: {why} ({error})") from error


def _in_words(error: Exception) -> str:
    if isinstance(error, (NetdoctorError, OSError)):
        return str(error)
    return f"an unexpected error: {type(error).__name__}: {error}"


@contextmanager
def _uninterrupted(taken: Taken) -> Iterator[None]:
    """Hold back every signal that ends a run, for the length of a with block; only the main thread gets them anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [s for s in ENDING if signal.getsignal(s) is not signal.SIG_IGN]

    def remember(*_: object) -> None:  # and say nothing: a line may be half written
        taken.interrupted = True

    before = {each: signal.signal(each, remember) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
