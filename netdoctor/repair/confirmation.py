"""A repair that waits to be confirmed: kept when somebody says so in time, else undone by a timer of its own.

The timer is a process outside the session and, where systemd runs, a service of it: it outlives netdoctor, the shell
and the connection. One file in the state folder says which run waits, and until when; it is written under the lock of
all that changes this host, so that a repair is either kept or undone.

::

    {"run": "20261129T081500Z-1f2e", "seconds": 60,
     "deadline": 4711.5,          seconds of CLOCK_BOOTTIME
     "boot": "1f8b...",           the boot that they count from
     "schema_version": 1}
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from netdoctor.changes.file import FileState, put
from netdoctor.errors import CannotRead, JournalError, NetdoctorError
from netdoctor.repair.journal import Journal, state_folder
from netdoctor.repair.machine_id import this_boot
from netdoctor.system.host import Host
from netdoctor.system.state_folder import refuse_if_others_may_write

LARGEST = 4096  # bytes
BEGINNING = 10.0  # seconds for the timer to start
GLANCE = 0.05
ENVIRONMENT = ("NETDOCTOR_STATE_DIR", "PATH", "KUBECONFIG")
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from netdoctor.repair.confirm_timer import main; main(sys.argv[2])"
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A run that waits to be confirmed."""

    run: str
    seconds: int
    deadline: float  # CLOCK_BOOTTIME
    boot: str
    schema_version: Literal[1] = 1

    @property
    def left(self) -> float:
        """Seconds until it is undone, 0 where that is due."""
        return max(0.0, self.deadline - _now()) if self.boot == this_boot() else 0.0

    @property
    def overdue(self) -> float:
        """Seconds since it should have been undone, 0 before that and where another boot counted."""
        return max(0.0, _now() - self.deadline) if self.boot == this_boot() else 0.0


class Kept(StrEnum):
    """What has become of a repair that had to be confirmed, as far as its netdoctor knows."""

    PENDING = "pending"  # its time is not over
    KEPT = "kept"
    UNDONE = "undone"
    NOT_UNDONE = "not-undone"  # nobody kept it, and something of it is in force


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The end of a run that had to be confirmed within so many seconds."""

    seconds: int
    state: Kept


def pending() -> Pending | None:
    """The run that waits to be confirmed. Raises JournalError where the file that says so is damaged."""
    path = _file()
    try:
        refuse_if_others_may_write(path.parent)
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as file:
            data = file.read(LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror or error}") from error
    from pydantic import TypeAdapter, ValidationError  # late: each command asks, and hardly ever is there a file

    try:
        return TypeAdapter(Pending).validate_json(data, strict=True)
    except ValidationError as error:
        raise JournalError(f"{path} is damaged: delete it, and `netdoctor undo` undoes the run") from error


@contextmanager
def confirming(journal: Journal, seconds: int) -> Iterator[Callable[[], None]]:
    """Have a run undone when nobody keeps it, so many seconds after the block; 0: it is kept.

    What the block is given lets the time begin again. Raises as `arm` does.
    """
    if not seconds:
        yield lambda: None
        return

    def again() -> None:
        with suppress(JournalError):  # a full disk: the timer waits for the lock all the same
            put_off(journal.run)

    arm(journal.run, seconds)
    try:
        yield again
    finally:
        if journal.in_force:
            again()
        else:
            with suppress(JournalError):
                forget(journal.run)


def arm(run: str, seconds: int) -> None:
    """Have a run undone when nobody keeps it, from now on. Raises NetdoctorError where no timer can be started."""
    _write(Pending(run, seconds, _now() + seconds, this_boot()))
    try:
        _start(run)
        _insist_that_it_runs(run)
    except BaseException:
        forget(run)
        raise


def _insist_that_it_runs(run: str) -> None:
    end = time.monotonic() + BEGINNING
    while not timer_runs(run):
        if time.monotonic() > end:
            raise NetdoctorError(f"nothing was changed: the timer did not start within {BEGINNING:g} s")
        time.sleep(GLANCE)


def put_off(run: str) -> None:
    """Let the time until a run is undone begin again: its repair is still under way."""
    found = pending()
    if found is not None and found.run == run:
        _write(Pending(run, found.seconds, _now() + found.seconds, this_boot()))


def give_up(run: str) -> None:
    """Let a run be undone now. The caller holds the lock."""
    found = pending()
    if found is not None and found.run == run:
        _write(Pending(run, found.seconds, _now(), this_boot()))


def forget(run: str) -> bool:
    """Let nobody undo a run any more; whether it was waiting. The caller holds the lock."""
    found = pending()
    if found is None or found.run != run:
        return False
    _put(None)
    return True


def timer_runs(run: str = "") -> bool:
    """Whether a timer is alive, and waits for this run where one is named: it holds a lock for as long as it is."""
    try:
        number = os.open(_timer_file(), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return not run or os.pread(number, 200, 0) == run.encode()
    finally:
        os.close(number)
    return False


@contextmanager
def being_the_timer(run: str) -> Iterator[None]:
    """Be the one timer of this host, for this run, for the length of a with block, as soon as there is no other."""
    number = os.open(_timer_file(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        os.ftruncate(number, 0)
        os.pwrite(number, run.encode(), 0)
        yield
    finally:
        os.close(number)


def notice(found: Pending) -> str:
    """What the user has to know of a run that waits."""
    keep = "`netdoctor confirm` keeps it, `netdoctor undo` undoes it now"
    if timer_runs():
        return f"run {found.run} waits to be confirmed, and is undone in {found.left:.0f} s: {keep}"
    return f"run {found.run} was never confirmed, and its timer is gone (a restart?): {keep}"


def _start(run: str) -> None:
    here = str(Path(__file__).resolve().parent.parent)
    argv = [sys.executable, "-I", "-c", START, here, run]
    if Path("/run/systemd/system").is_dir():
        settings = [f"--setenv={name}={os.environ[name]}" for name in ENVIRONMENT if name in os.environ]
        with suppress(CannotRead):
            unit = ["--quiet", "--collect", "--property=Restart=on-failure", f"--unit=netdoctor-confirm-{run}"]
            Host(loads=True).run(["systemd-run", *unit, *settings, *argv], timeout=BEGINNING)
            return
    subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def _timer_file() -> Path:
    return state_folder() / "confirm.timer"


def _file() -> Path:
    return state_folder() / "confirm.json"


def _write(found: Pending) -> None:
    _put(json.dumps(asdict(found)))


def _put(text: str | None) -> None:
    try:
        put(str(_file()), None if text is None else FileState(text, 0o600, os.geteuid(), os.getegid()))
    except CannotRead as error:
        raise JournalError(str(error)) from error


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
