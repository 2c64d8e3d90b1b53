"""Changes taken back, newest first, and not to be interrupted in it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from netdoctor.changes import left_alone
from netdoctor.errors import NetdoctorError
from netdoctor.host import Host
from netdoctor.journal import Entry, Journal, State


def undo(entries: Collection[Entry], journal: Journal, say: Callable[[str], None], force: bool = False) -> str:
    """Take changes back, newest first; Ctrl-C, SIGTERM and SIGHUP wait until it is done.

    A change that cannot be taken back stops it, and its reason comes out; with `force` the others are undone all the
    same. "" where everything was taken back. A journal that cannot be written stops nothing; that is said.
    """
    stuck = []
    with _uninterrupted(say):
        left = [e for e in sorted(entries, key=lambda e: e.number, reverse=True) if e.state is not State.UNDONE]
        while left:
            entry = left.pop(0)
            journal.note(entry, State.UNDOING)
            try:
                entry.change.undo(Host())
            except (NetdoctorError, OSError) as error:
                stuck.append(str(error))
                say(f"not undone: {entry.change.describe()}: {error}")
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
    return "; ".join(stuck)


@contextmanager
def _uninterrupted(say: Callable[[str], None]) -> Iterator[None]:
    """Hold back SIGINT, SIGTERM and SIGHUP for the length of a with block; only the main thread gets them anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [s for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) is not signal.SIG_IGN]
    before = [
        signal.signal(each, lambda *_: say("taking the changes back; this cannot be interrupted")) for each in signals
    ]
    try:
        yield
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
