"""Commands with deadlines, background programs that can be found again, and locks between invocations."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from . import records

T = TypeVar("T")
Argument = str | Path
_held: list[int] = []  # file descriptors of the locks this process holds
_children: dict[int, subprocess.Popen[bytes]] = {}


class LabError(Exception):
    """Why something cannot be done, in one sentence for the user (exit status 3)."""


class UsageError(LabError):
    """A command line that makes no sense (exit status 2)."""


def run(
    *argv: Argument,
    check: bool = True,
    deadline: float = 120.0,
    stdin: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `stdin` is text or a file, `deadline` in seconds, output is captured or goes to `log`.

    Raises LabError when it fails (with `check`) or does not end in time.
    """
    command = [str(a) for a in argv]
    source = stdin.open("rb") if isinstance(stdin, Path) else None
    text = None if isinstance(stdin, Path) else stdin or ""
    out = log.open("ab") if log else subprocess.PIPE
    try:
        # a sweep after a kill waits for the lock, and with it for commands that outlive their caller
        result = subprocess.run(
            command, input=text, stdin=source, text=True, errors="replace", stdout=out, stderr=out, timeout=deadline,
            env=env, cwd=cwd, pass_fds=_held, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LabError(f"{command[0]}: not finished after {deadline:.0f} s: {' '.join(command)[:200]}") from None
    except FileNotFoundError as error:
        raise LabError(f"cannot run {command[0]}: {error.strerror}: {error.filename}") from None
    finally:
        if source:
            source.close()
        if not isinstance(out, int):
            out.close()
    if check and result.returncode:
        said = f"see {log}" if log else " ".join(((result.stderr or "") + (result.stdout or "")).split())[-400:]
        raise LabError(f"{' '.join(command)[:200]} failed with status {result.returncode}: {said}")
    return result


def wait_for(condition: Callable[[], T], what: str, deadline: float = 30.0, pause: float = 0.1) -> T:
    """The first true answer of `condition`, asked every `pause` seconds; raises LabError after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {deadline:.0f} s")
        time.sleep(pause)
    return value


def spawn(folder: Path, name: str, argv: Sequence[Argument], groups: Iterable[Path] = ()) -> int:
    """Start a background program in these cgroups, its output at the end of `folder/NAME.log`; returns its pid."""
    groups = list(groups)

    def enter() -> None:
        # runs in the child, which holds the caller's lock until exec: a sweep never misses a program without a record
        for group in groups:
            (group / "cgroup.procs").write_text("0")
        (folder / f"{name}.process").write_text(records.identity(os.getpid()))

    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=enter,  # noqa: PLW1509 -- this program has one thread
        )  # fmt: skip
    _children[process.pid] = process
    return process.pid


def spawned(folder: Path, name: str) -> int | None:
    """The pid of a program started by `spawn`, while it runs."""
    return records.spawned(str(folder), name)


def gone(pid: int) -> bool:
    """Whether a process has ended (an unreaped one has)."""
    if child := _children.get(pid):
        return child.poll() is not None
    try:
        return records.stat(pid)[0] == "Z"
    except (OSError, IndexError):
        return True


def end(pids: Iterable[int], sig: int = signal.SIGKILL, deadline: float = 10.0) -> None:
    """Send a signal to these processes and wait for their end; raises LabError when one stays."""
    waiting = list(pids)
    for pid in waiting:
        with suppress(ProcessLookupError):
            os.kill(pid, sig)
    wait_for(lambda: all(gone(pid) for pid in waiting), f"the end of processes {waiting}", deadline, 0.01)


@contextmanager
def locked(path: Path, what: str, deadline: float) -> Iterator[None]:
    """Hold a lock between invocations; raises LabError naming the holder after `deadline` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        limit = time.monotonic() + deadline
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > limit:
                    holder = os.pread(descriptor, 20, 0).decode() or "?"
                    raise LabError(f"{what} is busy: process {holder} works on it") from None
                time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        _held.append(descriptor)
        yield
    finally:
        if descriptor in _held:
            _held.remove(descriptor)
        os.close(descriptor)
