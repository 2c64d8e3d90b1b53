"""What commands share: progress on standard error, and files that the user names."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from netdoctor.errors import BadInput, CannotRead
from netdoctor.redact import one_line

if TYPE_CHECKING:
    from netdoctor.facts import Facts

REFRESH = 0.1  # seconds
STANDARD_OUTPUT = "-"
NOT_SVG = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pdf", ".ps", ".eps", ".svgz")


@contextmanager
def waiting(*, live: bool = True) -> Iterator[Callable[[Facts], None] | None]:
    """While the block runs, say on a terminal what is being waited for; elsewhere nothing is said."""
    if not live or not sys.stderr.isatty():
        yield None
        return
    from netdoctor.output.console import console

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


def judged_elsewhere(
    command: str, options: Mapping[str, object], recording: str, target: str | None, title: str
) -> int:
    """Have a process without rights judge a recording, and write what it answers; the exit status.

    Raises BadInput, CannotRead, and what that process says.
    """
    from netdoctor.output.console import console
    from netdoctor.recording.confinement import Judging, judge

    aside = target == STANDARD_OUTPUT
    terminal = console(stderr=aside)
    found = judge(Judging(command, options, terminal.width, terminal.color_system is not None), recording)
    if target is not None and found.document is not None:
        write_file(target, found.document)
    as_text = options.get("output") == "text"
    if not aside or as_text:  # else it is written already
        click.echo(found.text, nl=False, err=aside)
    if target is not None and not aside and as_text:
        click.echo(one_line(f"{title}: {target}"), err=True)
    return found.status


def writable(path: str, recording: str | None = None) -> str:
    """The path, if a file can be written there that is not the recording; told before the work. Raises BadInput.

    "-" is standard output.
    """
    from netdoctor.output.output_file import OutputFile
    from netdoctor.recording.named_file import ITS_DESCRIPTOR, STANDARD_INPUT

    if path == STANDARD_OUTPUT:
        return path
    recording = ITS_DESCRIPTOR if recording == STANDARD_INPUT else recording
    if not path:
        raise BadInput("the name of the file to write is empty")
    try:
        with OutputFile.named(path) as file:
            file.check()
            if recording is not None and file.is_the_same_as(recording):
                raise BadInput(f"{path} is the recording itself: writing there would replace it")
    except CannotRead as error:
        raise BadInput(f"{path} {error.reason}") from error
    return path


def drawable(path: str) -> None:
    """Refuse a picture's name that promises a format other than SVG. Raises BadInput."""
    suffix = PurePath(path).suffix
    if suffix.lower() in NOT_SVG:
        raise BadInput(f"{path}: only SVG is drawn; name it {PurePath(path).with_suffix('.svg')}")


def write_file(path: str, text: str, *, packed: bool = False) -> None:
    """Write a file that the user named, `packed` as gzip; a new one only its owner may read. Raises CannotRead.

    "-" is standard output. What a regular file held before stays whole until all of the new is on disk.
    """
    from netdoctor.output.output_file import OutputFile

    if path == STANDARD_OUTPUT:
        click.echo(text, nl=False)
        return
    with OutputFile.named(path) as file:
        file.write(text.encode(errors="backslashreplace"), packed=packed)
