"""What commands share: progress on standard error, and files that the user names."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from netdoctor.errors import BadInput, CannotRead
from netdoctor.recorded_json import LARGEST

if TYPE_CHECKING:
    from netdoctor.facts import Facts

REFRESH = 0.1  # seconds


@contextmanager
def waiting(*, live: bool = True) -> Iterator[Callable[[Facts], None] | None]:
    """While the block runs, say on a terminal what is being waited for; elsewhere nothing is said."""
    if not live or not sys.stderr.isatty():
        yield None
        return
    from netdoctor.report.text import console

    ended = threading.Event()
    status = console(stderr=True).status("reading this host")

    def watch(facts: Facts) -> None:
        def tell() -> None:
            with suppress(OSError):
                while not ended.wait(REFRESH):
                    if names := facts.waiting_for():
                        status.update(f"waiting for {', '.join(names[:3])}")

        threading.Thread(target=tell, daemon=True).start()

    try:
        with suppress(OSError):  # a terminal that goes away must not hide why the block was left
            status.start()
        yield watch
    finally:
        ended.set()
        with suppress(OSError):
            status.stop()


class Unstopped:
    """Says lines while something is changed on the host: output that fails stops nothing, and is told by `end`."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._failed: OSError | None = None

    def __call__(self, line: str) -> None:
        """One line, unless an earlier one could not be written."""
        if self._failed is None:
            try:
                self._write(line)
            except OSError as error:
                self._failed = error

    def end(self) -> None:
        """Raise the OSError that kept a line from being written, if there was one."""
        if self._failed is not None:
            raise self._failed


def open_recording(path: str) -> BinaryIO:
    """A recording that the user named, open for reading: a regular file of a recording's size. Raises BadInput."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    about = os.fstat(file.fileno())
    reason = "not a regular file" if not stat.S_ISREG(about.st_mode) else ""
    if about.st_size > LARGEST:
        reason = f"{about.st_size >> 20} MB is no recording's size"
    if reason:
        file.close()
        raise BadInput(f"{path} cannot be read: {reason}")
    return file


def read_recording(path: str) -> bytes:
    """The bytes of a recording that the user named. Raises BadInput."""
    with open_recording(path) as file:
        return file.read(LARGEST + 1)


def judged_elsewhere(
    command: str, options: Mapping[str, object], recording: str, target: str | None, title: str
) -> int:
    """Have a process without rights judge a recording, and write what it answers; the exit status.

    Raises BadInput, CannotRead, and what that process says.
    """
    import click

    from netdoctor.confinement import Asked, judge
    from netdoctor.report.text import console

    terminal = console()
    found = judge(Asked(command, options, terminal.width, terminal.color_system is not None), recording)
    if target is not None and found.document is not None:
        write_file(target, found.document)
    click.echo(found.text, nl=False)
    if target is not None and options.get("output") != "json":
        click.echo(f"{title}: {target}", err=True)
    return found.status


def writable(path: str, recording: str | None = None) -> str:
    """The path, if a file can be written there that is not the recording; told before the work. Raises BadInput."""
    if not path:
        raise BadInput("the name of the file to write is empty")
    target = Path(path)
    place = target if target.exists() else target.absolute().parent
    if not os.access(place, os.W_OK):
        raise BadInput(f"{path} cannot be written: {'no such folder' if not place.exists() else 'permission denied'}")
    if recording is not None and target.exists() and target.samefile(recording):
        raise BadInput(f"{path} is the recording itself: what is to be written would replace it")
    return path


def write_file(path: str, text: str) -> None:
    """Write a file that the user named; a new one only its owner may read. Raises CannotRead.

    What a regular file held before stays whole until all of the new is on disk.
    """
    data = text.encode(errors="backslashreplace")
    named, target = Path(path), Path(os.path.realpath(path))
    regular = named.is_file() or not named.exists()
    opened = named.absolute().is_relative_to("/dev") or named.absolute().is_relative_to("/proc")  # by somebody else
    try:
        if regular and not opened and os.access(target.parent, os.W_OK):
            _replace(target, data)
        else:
            # not waiting for whoever should read a FIFO
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o600)
            os.set_blocking(descriptor, True)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
    except OSError as error:
        raise CannotRead(path, f"cannot be written: {error.strerror or error}") from error


def _replace(target: Path, data: bytes) -> None:
    """Write beside the file, and put it in its place with mode and owner of one that is there. Raises CannotRead."""
    from netdoctor.changes.file import FileState, put, temporary

    about = target.stat() if target.exists() else None
    mode, owner = (
        (stat.S_IMODE(about.st_mode), (about.st_uid, about.st_gid)) if about else (0o600, (os.geteuid(), os.getegid()))
    )
    try:
        put(str(target), FileState(data.decode("latin-1"), mode, *owner))
    except BaseException:
        with suppress(OSError):
            temporary(str(target)).unlink(missing_ok=True)
        raise
