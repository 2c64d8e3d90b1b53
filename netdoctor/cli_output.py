"""What commands share: progress on standard error, and files that the user names."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netdoctor.errors import BadInput, CannotRead

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
            while not ended.wait(REFRESH):
                if names := facts.waiting_for():
                    status.update(f"waiting for {', '.join(names[:3])}")

        threading.Thread(target=tell, daemon=True).start()

    with status:
        try:
            yield watch
        finally:
            ended.set()


def read_file(path: str) -> str:
    """A file that the user named. Raises BadInput."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BadInput(f"{path} cannot be read: {reason}") from error


def writable(path: str) -> str:
    """The path, if a file can be written there; told before the work that fills it. Raises BadInput."""
    if not path:
        raise BadInput("the name of the file to write is empty")
    target = Path(path)
    place = target if target.exists() else target.absolute().parent
    if not os.access(place, os.W_OK):
        raise BadInput(f"{path} cannot be written: {'no such folder' if not place.exists() else 'permission denied'}")
    return path


def write_file(path: str, text: str) -> None:
    """Write a file that the user named; only its owner may read it. Raises CannotRead."""
    try:
        # not waiting for whoever should read a FIFO
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o600)
        os.set_blocking(descriptor, True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as target:
            target.write(text)
    except OSError as error:
        raise CannotRead(path, f"cannot be written: {error.strerror or error}") from error
