"""Every run that has a journal, and the lock that lets one netdoctor at a time change this host."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netdoctor.errors import JournalError, Locked
from netdoctor.model import Made
from netdoctor.repair.confirmation import notice, pending
from netdoctor.repair.journal import NOTHING_YET, EntryState, Journal, load, state_folder
from netdoctor.system.state_folder import make, refuse_if_others_may_write

TRIES = 5  # to lock a file that another netdoctor removes meanwhile
STOPPING = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)  # a stopped netdoctor would hold the lock


def paths() -> list[Path]:
    """The files of every run, by name. Raises JournalError."""
    folder = state_folder() / "runs"
    try:
        refuse_if_others_may_write(state_folder())
        return sorted((path for path in folder.iterdir() if path.suffix == ".jsonl"), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"{folder} cannot be read: {error.strerror or error}") from error


def runs() -> list[Journal]:
    """Every run, newest first. Raises JournalError, which says what to do, when one of them is damaged."""
    found = []
    for path in paths():
        try:
            found.append(load(path))
        except JournalError as error:
            raise JournalError(f"{error}; {advice(path)}") from error
    return _newest_first(found)


def readable_runs() -> tuple[list[Journal], list[str]]:
    """Every run that can be read, newest first; what is wrong with the others, and what to do. Raises JournalError."""
    found, damaged = [], []
    for path in paths():
        try:
            found.append(load(path))
        except JournalError as error:
            damaged.append(f"{error}; {advice(path)}")
    return _newest_first(found), damaged


def next_number() -> int:
    """The number of a run that begins now. Raises JournalError."""
    return 1 + max([len(paths()), *(journal.sequence for journal in readable_runs()[0])])


def advice(path: Path) -> str:
    """What to do about a journal that cannot be read."""
    return f"look in it for what it changed and undo that by hand, then rename it to {path.name}.damaged"


def _newest_first(journals: list[Journal]) -> list[Journal]:
    """By their own count: a clock can be set back. Those of older versions have none, and come after the others."""
    return sorted(journals, key=lambda journal: (journal.sequence, journal.run), reverse=True)


def unfinished() -> list[Journal]:
    """The runs that were interrupted and have left what is not proved, newest first. Raises JournalError."""
    return [journal for journal in runs() if journal.unfinished]


def what_happened(journal: Journal) -> str:
    """How an unfinished run came to be one, in words."""
    repair = f"the repair of {journal.started or journal.run}"
    if journal.ended is not None:
        return f"the undo of {repair} was interrupted"
    if any(entry.state is EntryState.UNDOING for entry in journal.in_force):
        return f"{repair} was not proved and not completely rolled back"
    return f"{repair} was interrupted"


def unfinished_notice() -> list[str]:
    """What the user has to know about other runs, before anything else; no more than the reader may see."""
    if holder := changing_now():
        return [f"another netdoctor (pid {holder}) is changing this host now"]
    try:
        waits = pending()
        interrupted = unfinished()
    except JournalError as error:
        return [str(error)] if os.geteuid() == 0 else []
    told = [notice(waits)] if waits else []
    told += [
        f"{what_happened(journal)}: `netdoctor undo` rolls it back, `netdoctor fix --resume` goes on"
        for journal in interrupted
    ]
    return told


def changes_in_force() -> tuple[Made, ...]:
    """What earlier repairs have changed and nobody has undone; nothing where the journals cannot be read."""
    try:
        journals = runs()
    except JournalError:
        return ()
    return tuple(Made(j.run, e.step, e.change.describe()) for j in journals for e in j.in_force if not j.never_made(e))


def newer_in_force(chosen: Journal, journals: list[Journal]) -> list[Journal]:
    """The runs that began after this one and have something in force, newest first: they were proved on top of it."""
    newest_first = _newest_first(journals)
    place = [journal.run for journal in newest_first].index(chosen.run)
    return [j for j in newest_first[:place] if any(not j.never_made(entry) for entry in j.in_force)]


def holder_of(path: Path) -> int | None:
    """The pid of the process that holds the lock of a file, as the kernel tells it; None where nobody is known to.

    Only read: to try the lock might keep another from it. The pid is 0 for a process of another pid namespace.
    """
    try:
        inode = str(path.stat().st_ino)  # the device's number is another one there on some file systems
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if words[1:4:2] == ["FLOCK", "WRITE"] and words[5].endswith(f":{inode}"):
                return int(words[4]) if words[4].isdecimal() else 0
    except (OSError, IndexError):
        pass
    return None


def holder() -> int:
    """The pid of the netdoctor that holds the lock; 0 where that is not known."""
    return holder_of(state_folder() / "lock") or 0


def changing_now() -> str:
    """The pid of the netdoctor that holds the lock as it has written it, or ""."""
    path = state_folder() / "lock"
    try:
        if holder_of(path) is None:
            return ""
        return path.read_text(encoding="ascii", errors="replace").strip()[:20] or "unknown"
    except OSError:
        return ""


@contextmanager
def locked() -> Iterator[None]:
    """Be the only netdoctor that changes this host, for the length of a with block. Raises Locked, JournalError.

    A state folder that was made for the lock alone is gone afterwards. Ctrl-Z does nothing meanwhile.
    """
    path = state_folder() / "lock"
    was_there = state_folder().exists()
    with _never_stopped():
        number = _lock(path)
        try:
            with suppress(OSError):  # a full disk: the lock holds all the same, and undo may make room
                os.ftruncate(number, 0)
                os.write(number, f"{os.getpid()}\n".encode())
            yield
        finally:
            if not was_there:
                _remove_unused(path)
            os.close(number)


@contextmanager
def _never_stopped() -> Iterator[None]:
    """Ignore every signal that stops a process, for the length of a with block."""
    if threading.current_thread() is not threading.main_thread():  # no other thread may choose that
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in STOPPING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _lock(path: Path) -> int:
    """The descriptor that holds the lock. Raises Locked, JournalError."""
    gone: FileNotFoundError | None = None
    for _ in range(TRIES):
        try:
            number = _opened(path)
        except FileNotFoundError as error:  # another netdoctor removed the folder before the file was made in it
            gone = error
            continue
        gone = None
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(number, 20).decode(errors="replace").strip() or "unknown"
            os.close(number)
            raise Locked(f"another netdoctor (pid {holder}) is changing this host") from error
        if _leads_to(path, number):
            return number
        os.close(number)  # another netdoctor removed it between the two: what is locked is no longer the file
    if gone:
        raise _not_made(path, gone)
    raise Locked("another netdoctor is beginning or ending on this host")


def _opened(path: Path) -> int:
    """A descriptor of the lock's file, which is made where it is missing. Raises FileNotFoundError, JournalError."""
    try:
        make(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _not_made(path, error) from error


def _not_made(path: Path, error: OSError) -> JournalError:
    return JournalError(f"{path} cannot be made: {error.strerror or error}; {NOTHING_YET}")


def _leads_to(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(number))
    except FileNotFoundError:
        return False


def _remove_unused(path: Path) -> None:
    """Remove the lock and its folder, while the lock is held, unless something else has come into the folder."""
    with suppress(OSError):
        if [entry.name for entry in path.parent.iterdir()] == [path.name]:
            path.unlink()
            path.parent.rmdir()
