"""What was changed, on disk before it is changed: one file of JSON lines for each run.

::

    {"record": "header", "schema_version": 1, "tool": "netdoctor 0.1.0", "started": "2026-11-24T12:00:00Z",
     "sequence": 7,                       counts the runs: the newest has the highest, whatever the clock says
     "machine": "5d41...", "boot": "1f8b...", "by": "alice"}
    {"record": "planned", "number": 0, "step": "enable-ip-forward", "kind": "sysctl", "change": {...}}
    {"record": "applying", "number": 0, "at": 1790000000.5}   whatever has not come so far was never made
    {"record": "applied", "number": 0}        verified, undoing, undone: the same
    {"record": "closed", "how": "committed"}  or rolled-back, undone, not-confirmed, partly-undone, resumed

A line counts when it ends in a newline. A last line without one was cut short: what it announced never began.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from netdoctor import __version__
from netdoctor.changes import is_of_netdoctor
from netdoctor.errors import Drifted, JournalError
from netdoctor.model import Change
from netdoctor.repair.machine_id import this_boot, this_machine
from netdoctor.repair.records import NoRecord, fields_of, in_words, rebuild, time_of, word_of
from netdoctor.system.rights import caller_name
from netdoctor.system.state_folder import OTHERS_WRITE, make

SCHEMA_VERSION = 1
LARGEST = 64 << 20  # bytes of a journal
BEGINNING = b'{"record": "header"'  # of every journal
NOTHING_YET = (
    "nothing was changed: netdoctor must be able to write its journal first. Free some space or fix the permissions"
)


class EntryState(StrEnum):
    """How far a change has come."""

    PLANNED = "planned"
    APPLYING = "applying"
    APPLIED = "applied"
    VERIFIED = "verified"
    UNDOING = "undoing"
    UNDONE = "undone"


class Closed(StrEnum):
    """How a run has ended."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled-back"
    UNDONE = "undone"
    NOT_CONFIRMED = "not-confirmed"  # undone by the timer
    PARTLY_UNDONE = "partly-undone"  # the rest was refused, and is in force
    RESUMED = "resumed"


@dataclass
class Entry:
    """A change, the remedy that wanted it, and how far it has come."""

    number: int
    step: str
    change: Change
    state: EntryState = EntryState.PLANNED
    began: float | None = None  # when it was begun, in seconds since 1970


@dataclass
class Journal:
    """One run. Every method that writes has written to disk when it returns, or raises JournalError."""

    path: Path
    started: str = ""
    sequence: int = 0  # 0: written before runs were counted
    machine: str = ""  # whose run it is, "" where that is not known
    boot: str | None = None  # since when the machine ran; None: written before `applying` was
    by: str = ""  # who called netdoctor, "" where that is not known
    entries: list[Entry] = field(default_factory=list)
    closed: Closed | None = None
    ended: Closed | None = None  # how it had ended when it was opened again
    unwritten: dict[int, EntryState] = field(default_factory=dict, compare=False)  # what `note` could not write

    @property
    def run(self) -> str:
        """The run's name."""
        return self.path.stem

    @property
    def in_force(self) -> list[Entry]:
        """What may still be in force, newest first: everything that was not undone."""
        return [entry for entry in reversed(self.entries) if entry.state is not EntryState.UNDONE]

    @property
    def unfinished(self) -> bool:
        """Whether it has no end and something in force that is not proved, or was about to be rolled back."""
        taking_back = self.ended is not None
        return self.closed is None and any(taking_back or e.state is not EntryState.VERIFIED for e in self.in_force)

    def plan(self, step: str, change: Change) -> Entry:
        """Write down a change that is about to be made. Raises Drifted for one that could not be read back."""
        if not is_of_netdoctor(change):
            raise Drifted(f"{change.describe()}: undo would not revert this")
        entry = Entry(len(self.entries), step, change)
        self.entries.append(entry)
        try:
            self._write(
                record=EntryState.PLANNED, number=entry.number, step=step, kind=change.kind, change=fields_of(change)
            )
        except JournalError:
            self.entries.pop()  # what is not written down is not begun
            raise
        return entry

    def mark(self, entry: Entry, state: EntryState) -> None:
        """Write down how far a change has come."""
        self._write(record=state, number=entry.number)
        entry.state = state

    def begin(self, entry: Entry) -> None:
        """Write down that a change is being made, and when: what has no such record was never made."""
        now = round(time.time(), 3)
        self._write(record=EntryState.APPLYING, number=entry.number, at=now)
        entry.state, entry.began = EntryState.APPLYING, now

    def never_made(self, entry: Entry) -> bool:
        """Whether a change was only planned."""
        return entry.state is EntryState.PLANNED and self.boot is not None

    def note(self, entry: Entry, state: EntryState) -> None:
        """The same where nothing may stop for it: what cannot be written is kept for `close`."""
        entry.state = state
        try:
            self._write(record=state, number=entry.number)
            self.unwritten.pop(entry.number, None)
        except JournalError:
            self.unwritten[entry.number] = state

    def close(self, how: Closed) -> None:
        """Write down how the run has ended, after whatever could not be written before."""
        for number, state in list(self.unwritten.items()):
            self._write(record=state, number=number)
            del self.unwritten[number]
        self._write(record="closed", how=how)
        self.closed = self.ended = how

    def _write(self, **record: Any) -> None:
        self.closed = None
        line = (json.dumps(record) + "\n").encode()
        try:
            number = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            try:
                done = os.write(number, line)
                if done != len(line):
                    os.ftruncate(number, os.fstat(number).st_size - done)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(number)
            finally:
                os.close(number)
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written: {error.strerror or error}") from error


def state_folder() -> Path:
    """Where netdoctor keeps its state; NETDOCTOR_STATE_DIR names another place."""
    return Path(os.environ.get("NETDOCTOR_STATE_DIR") or "/var/lib/netdoctor")


def begin(sequence: int = 1) -> Journal:
    """A new run's journal, on disk; `sequence` is higher than that of every other. Raises JournalError."""
    now = datetime.now(UTC)
    folder = state_folder() / "runs"
    path = folder / f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}.jsonl"
    try:
        make(state_folder())
        folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        for each in (folder, folder.parent):
            number = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(number)
            os.close(number)
    except OSError as error:
        raise JournalError(f"{path} cannot be made: {error.strerror or error}; {NOTHING_YET}") from error
    journal = Journal(path, f"{now:%Y-%m-%dT%H:%M:%SZ}", sequence, this_machine(), this_boot(), caller_name())
    try:
        journal._write(
            record="header",
            schema_version=SCHEMA_VERSION,
            tool=f"netdoctor {__version__}",
            started=journal.started,
            sequence=sequence,
            machine=journal.machine,
            boot=journal.boot,
            by=journal.by,
        )
    except JournalError as error:
        with suppress(OSError):
            path.unlink()
        raise JournalError(f"{error}; {NOTHING_YET}") from error
    return journal


def load(path: Path) -> Journal:
    """A journal as it stands on disk; nothing is written. Raises JournalError with file and line."""
    journal = Journal(path)
    *lines, rest = _bytes_of(path).split(b"\n")
    if not lines and (b"\r" in rest or not BEGINNING.startswith(rest[: len(BEGINNING)])):
        raise JournalError(f"{path}: it is damaged: no line of it is whole")
    for number, line in enumerate(lines, start=1):
        try:
            _take(journal, json.loads(line), first=number == 1)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise JournalError(f"{path}, line {number}: {in_words(error)}") from error
    return journal


def _bytes_of(path: Path) -> bytes:
    """A journal's bytes. Raises JournalError, also for what is not a regular file or too large for a journal."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            about = os.fstat(number)
            if not stat.S_ISREG(about.st_mode):
                raise JournalError(f"{path} is not a journal: it is not a regular file")
            if about.st_uid not in (0, os.geteuid()) or about.st_mode & OTHERS_WRITE:
                raise JournalError(f"{path} is not trusted: somebody other than root may have written it")
            if about.st_size > LARGEST:
                raise JournalError(f"{path} is not a journal: it has {about.st_size >> 20} MB")
            with os.fdopen(number, "rb", closefd=False) as file:
                return file.read(LARGEST)
        finally:
            os.close(number)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise JournalError(f"{path} is not a journal: it is a symbolic link") from error
        raise JournalError(f"{path} cannot be read: {error.strerror or error}") from error


def _take(journal: Journal, record: Mapping[str, Any], *, first: bool) -> None:
    what = record["record"]
    journal.closed = None
    if first != (what == "header"):
        raise NoRecord("the header is not where it belongs")
    if what == "header":
        _take_header(journal, record)
    elif what == "closed":
        journal.closed = journal.ended = word_of(Closed, record["how"])
    elif what == EntryState.PLANNED:
        if record["number"] != len(journal.entries):
            raise NoRecord("a record is missing before this one")
        change = rebuild(str(record["kind"]), record["change"])
        journal.entries.append(Entry(record["number"], str(record["step"]), change))
    else:
        _take_state(journal, record)


def _take_header(journal: Journal, record: Mapping[str, Any]) -> None:
    if record["schema_version"] != SCHEMA_VERSION:
        raise NoRecord(f"of version {record['schema_version']}; this netdoctor reads version {SCHEMA_VERSION}")
    journal.started = str(record["started"])
    journal.sequence = record.get("sequence", 0)
    if type(journal.sequence) is not int or journal.sequence < 0:
        raise NoRecord("its number among the runs is not a number")
    journal.machine = str(record.get("machine", ""))
    journal.boot = str(record["boot"]) if "boot" in record else None
    journal.by = str(record.get("by", ""))


def _take_state(journal: Journal, record: Mapping[str, Any]) -> None:
    number = record["number"]
    if type(number) is not int or not 0 <= number < len(journal.entries):
        raise NoRecord("it is about a change that was never planned")
    entry = journal.entries[number]
    entry.state = word_of(EntryState, record["record"])
    if entry.state is EntryState.APPLYING:
        entry.began = time_of(record["at"])


def reopen(journal: Journal) -> None:
    """Make a loaded journal fit to be written again: remove a last line that was cut short. Raises JournalError."""
    data = _bytes_of(journal.path)
    try:
        if not data.endswith(b"\n"):
            os.truncate(journal.path, data.rfind(b"\n") + 1)
    except OSError as error:
        raise JournalError(f"{journal.path} cannot be written: {error.strerror or error}") from error
