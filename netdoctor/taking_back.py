"""Changes taken back, newest first, and not to be interrupted in it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from netdoctor.changes import left_alone
from netdoctor.errors import Drifted, NetdoctorError
from netdoctor.host import Host
from netdoctor.journal import Entry, Journal, State

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


@dataclass
class Taken:
    """How a taking back has ended: what could not be undone, and whether somebody wanted it to end before."""

    drifted: list[Entry] = field(default_factory=list)  # somebody else has changed the same since
    failed: list[Entry] = field(default_factory=list)  # for any other reason: it may go another time
    reasons: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def stuck(self) -> str:
        """Why not everything was undone, "" where it was."""
        return "; ".join(self.reasons)


def undo(entries: Collection[Entry], journal: Journal, say: Callable[[str], None], force: bool = False) -> Taken:
    """Take changes back, newest first; Ctrl-C, SIGTERM, SIGQUIT and SIGHUP wait until it is done, and are told.

    A change that cannot be taken back stops it; with `force` the others are undone all the same. A journal that cannot
    be written stops nothing; that is said.
    """
    taken = Taken()
    with _uninterrupted(taken):
        left = [e for e in sorted(entries, key=lambda e: e.number, reverse=True) if e.state is not State.UNDONE]
        told = False
        while left:
            entry = left.pop(0)
            if taken.interrupted and not told:
                say("taking the changes back; this cannot be interrupted")
                told = True
            journal.note(entry, State.UNDOING)
            try:
                entry.change.undo(Host())
            except Exception as error:  # whatever it is, the other changes have to go
                (taken.drifted if isinstance(error, Drifted) else taken.failed).append(entry)
                taken.reasons.append(_in_words(error))
                say(f"not undone: {entry.change.describe()}: {taken.reasons[-1]}")
                if not force:
                    break
                continue
            journal.note(entry, State.UNDONE)
            sentence = left_alone(entry.change)
            say(f"left as it is: {sentence}" if sentence else f"taken back: {entry.change.describe()}")
        for entry in left:
            say(f"still in force: {entry.change.describe()}")
        if journal.unwritten:
            say(f"{journal.path} cannot be written: `netdoctor undo` brings it up to date once there is space")
    return taken


def _in_words(error: Exception) -> str:
    if isinstance(error, (NetdoctorError, OSError)):
        return str(error)
    return f"an error that was not foreseen: {type(error).__name__}: {error}"


@contextmanager
def _uninterrupted(taken: Taken) -> Iterator[None]:
    """Hold back every signal that ends a run, for the length of a with block; only the main thread gets them anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [s for s in ENDING if signal.getsignal(s) is not signal.SIG_IGN]

    def remember(*_: object) -> None:  # and say nothing: a line may be half written
        taken.interrupted = True

    before = [signal.signal(each, remember) for each in signals]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
