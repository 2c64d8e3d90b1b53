"""What was changed, on disk before it is changed: one file of JSON lines for each run.

::

    {"record": "header", "schema_version": 1, "tool": "netdoctor 0.1.0", "started": "2026-11-24T12:00:00Z"}
    {"record": "planned", "number": 0, "step": "enable-ip-forward", "kind": "sysctl", "change": {...}}
    {"record": "applied", "number": 0}        verified, undoing, undone: the same
    {"record": "closed", "how": "committed"}  or rolled-back, undone, resumed

A line counts when it ends in a newline. A last line without one was cut short: what it announced never began.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from netdoctor import __version__
from netdoctor.errors import JournalError, Locked
from netdoctor.model import Change, Made

SCHEMA_VERSION = 1


class State(StrEnum):
    """How far a change has come."""

    PLANNED = "planned"
    APPLIED = "applied"
    VERIFIED = "verified"
    UNDOING = "undoing"
    UNDONE = "undone"


class Closed(StrEnum):
    """How a run has ended."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled-back"
    UNDONE = "undone"
    RESUMED = "resumed"


@dataclass
class Entry:
    """A change, the remedy that wanted it, and how far it has come."""

    number: int
    step: str
    change: Change
    state: State = State.PLANNED


@dataclass
class Journal:
    """One run. Every method that writes has written to disk when it returns, or raises JournalError."""

    path: Path
    started: str = ""
    entries: list[Entry] = field(default_factory=list)
    closed: Closed | None = None

    @property
    def run(self) -> str:
        """The run's name."""
        return self.path.stem

    @property
    def in_force(self) -> list[Entry]:
        """What may still be in force, newest first: everything that was not undone."""
        return [entry for entry in reversed(self.entries) if entry.state is not State.UNDONE]

    def plan(self, step: str, change: Change) -> Entry:
        """Write down a change that is about to be made."""
        entry = Entry(len(self.entries), step, change)
        self.entries.append(entry)
        self._write(record=State.PLANNED, number=entry.number, step=step, kind=change.kind, change=fields_of(change))
        return entry

    def mark(self, entry: Entry, state: State) -> None:
        """Write down how far a change has come."""
        self._write(record=state, number=entry.number)
        entry.state = state

    def close(self, how: Closed) -> None:
        """Write down how the run has ended."""
        self._write(record="closed", how=how)
        self.closed = how

    def _write(self, **record: Any) -> None:
        self.closed = None
        line = (json.dumps(record) + "\n").encode()
        try:
            number = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                done = os.write(number, line)
                if done != len(line):  # the disk is full
                    os.ftruncate(number, os.fstat(number).st_size - done)
                    raise JournalError(f"{self.path} cannot be written: no space left")
                os.fsync(number)
            finally:
                os.close(number)
        except OSError as error:
            raise JournalError(f"{self.path} cannot be written: {error.strerror or error}") from error


def state_folder() -> Path:
    """Where netdoctor keeps its state; NETDOCTOR_STATE_DIR names another place."""
    return Path(os.environ.get("NETDOCTOR_STATE_DIR") or "/var/lib/netdoctor")


def begin() -> Journal:
    """A new run's journal, on disk. Raises JournalError."""
    now = datetime.now(UTC)
    folder = state_folder() / "runs"
    path = folder / f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}.jsonl"
    try:
        state_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        for each in (folder, folder.parent):
            number = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(number)
            os.close(number)
    except OSError as error:
        raise JournalError(f"{path} cannot be made: {error.strerror or error}") from error
    journal = Journal(path, f"{now:%Y-%m-%dT%H:%M:%SZ}")
    journal._write(
        record="header", schema_version=SCHEMA_VERSION, tool=f"netdoctor {__version__}", started=journal.started
    )
    return journal


def load(path: Path) -> Journal:
    """A journal as it stands on disk; nothing is written. Raises JournalError with file and line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror or error}") from error
    journal = Journal(path)
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            _take(journal, json.loads(line), first=number == 1)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            reason = str(error) if isinstance(error, ValueError) and not isinstance(error, UnicodeError) else "damaged"
            raise JournalError(f"{path}, line {number}: {reason.splitlines()[0]}") from error
    return journal


def _take(journal: Journal, record: Mapping[str, Any], *, first: bool) -> None:
    what = record["record"]
    journal.closed = None
    if first != (what == "header"):
        raise ValueError("the header is not where it belongs")
    if what == "header":
        if record["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"of version {record['schema_version']}; this netdoctor reads version {SCHEMA_VERSION}")
        journal.started = str(record["started"])
    elif what == "closed":
        journal.closed = Closed(record["how"])
    elif what == State.PLANNED:
        if record["number"] != len(journal.entries):
            raise ValueError("a record is missing before this one")
        change = rebuild(str(record["kind"]), record["change"])
        journal.entries.append(Entry(record["number"], str(record["step"]), change))
    else:
        number = record["number"]
        if type(number) is not int or not 0 <= number < len(journal.entries):
            raise ValueError("it is about a change that was never planned")
        journal.entries[number].state = State(what)


def fields_of(change: Change) -> dict[str, Any]:
    """A change's fields as JSON holds them."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(change)))  # type: ignore[call-overload]
    return plain


def rebuild(kind: str, fields: Any) -> Change:
    """A change from its kind and fields, strictly. Raises ValueError for what is not exactly one."""
    from pydantic import TypeAdapter, ValidationError

    from netdoctor.changes import kinds
    from netdoctor.errors import NetdoctorError

    if kind not in kinds():
        raise ValueError(f"an unknown kind of change: {kind}")
    try:
        change: Change = TypeAdapter(kinds()[kind]).validate_json(json.dumps(fields), strict=True)
    except (ValidationError, NetdoctorError) as error:
        raise ValueError(f"no change of kind {kind}") from error
    if fields_of(change) != fields:
        raise ValueError(f"no change of kind {kind}: fields that it does not have, or not all of them")
    return change


def reopen(journal: Journal) -> None:
    """Make a loaded journal fit to be written again: take away a last line that was cut short. Raises JournalError."""
    try:
        data = journal.path.read_bytes()
        if not data.endswith(b"\n"):
            os.truncate(journal.path, data.rfind(b"\n") + 1)
    except OSError as error:
        raise JournalError(f"{journal.path} cannot be written: {error.strerror or error}") from error


def paths() -> list[Path]:
    """The files of every run, newest first. Raises JournalError."""
    folder = state_folder() / "runs"
    try:
        return sorted(folder.glob("*.jsonl"), reverse=True) if folder.is_dir() else []
    except OSError as error:
        raise JournalError(f"{folder} cannot be read: {error.strerror or error}") from error


def runs() -> list[Journal]:
    """Every run, newest first. Raises JournalError, also when one of them is damaged."""
    return [load(path) for path in paths()]


def readable_runs() -> tuple[list[Journal], list[str]]:
    """Every run that can be read, newest first, and what is wrong with the others. Raises JournalError."""
    found, damaged = [], []
    for path in paths():
        try:
            found.append(load(path))
        except JournalError as error:
            damaged.append(str(error))
    return found, damaged


def unfinished() -> list[Journal]:
    """The runs that were interrupted and may have left something in force, newest first. Raises JournalError."""
    return [journal for journal in runs() if journal.closed is None and journal.in_force]


def unfinished_notice() -> list[str]:
    """What the user has to know about interrupted runs, before anything else; no more than the reader may see."""
    try:
        return [
            f"the repair of {journal.started or journal.run} was interrupted: "
            f"`netdoctor undo` takes it back, `netdoctor fix --resume` goes on"
            for journal in unfinished()
        ]
    except JournalError as error:
        return [str(error)] if os.geteuid() == 0 else []


def changes_in_force() -> tuple[Made, ...]:
    """What earlier repairs have changed and nobody has taken back; nothing where the journals cannot be read."""
    try:
        journals = runs()
    except JournalError:
        return ()
    return tuple(Made(j.run, e.step, e.change.describe()) for j in journals for e in j.in_force)


@contextmanager
def locked() -> Iterator[None]:
    """Be the only netdoctor that changes this host, for the length of a with block. Raises Locked, JournalError."""
    path = state_folder() / "lock"
    try:
        state_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(f"{path} cannot be made: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(number, 20).decode(errors="replace").strip() or "unknown"
            raise Locked(f"another netdoctor (pid {holder}) is changing this host") from error
        os.ftruncate(number, 0)
        os.write(number, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(number)
