"""A program with an end: it has a total time, what it writes has a size, and whatever it began ends with it."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from netdoctor.errors import CannotRead, Why
from netdoctor.system.rights import Rights


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it wrote."""

    status: int
    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    limit: int,
    *,
    stdin: bytes = b"",
    rights: Rights | None = None,
    directory: str | None = "/",
    passed: Sequence[int] = (),
) -> Ended:
    """Run a program without a terminal, within a time and a number of bytes; with these rights, or this process's own.

    `directory` None is this process's own; `passed` are the descriptors that the program gets.

    Raises CannotRead where it cannot be started, takes too long or writes too much.
    """
    who = {} if rights is None else {"user": rights.uid, "group": rights.gid, "extra_groups": rights.groups}
    try:
        with in_memory(stdin) as given:
            process = subprocess.Popen(
                list(argv),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                cwd=directory,
                start_new_session=True,
                pass_fds=tuple(passed),
                **who,  # type: ignore[call-overload]
            )
    except OSError as error:
        raise CannotRead.of(argv[0], error) from error
    except ValueError as error:
        raise CannotRead(argv[0], str(error)) from error
    with process:
        try:
            return _collect(process, argv[0], time.monotonic() + seconds, seconds, limit)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _collect(process: subprocess.Popen[bytes], name: str, end: float, seconds: float, limit: int) -> Ended:
    assert process.stdout
    assert process.stderr
    said = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    too_late = CannotRead(name, f"no answer within {seconds:g} s", Why.NO_ANSWER)
    with selectors.DefaultSelector() as selector:
        for descriptor in said:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            over = process.poll() is not None
            ready = _read(selector, said, 0 if over else max(0.0, min(0.05, end - time.monotonic())))
            if sum(map(len, said.values())) > limit + 65536:
                raise CannotRead(name, f"it writes more than {limit >> 10} KiB")
            if over and not ready:  # a child of it may hold the pipes open
                break
            if time.monotonic() > end:
                raise too_late
    try:
        status = process.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise too_late from error
    stdout, stderr = (bytes(data) for data in said.values())
    return Ended(status, stdout, stderr)


def _read(selector: selectors.BaseSelector, said: Mapping[int, bytearray], seconds: float) -> bool:
    """Add what comes within these seconds to what was said, by descriptor; whether anything came, or an end."""
    ready = selector.select(seconds)
    for key, _ in ready:
        data = os.read(key.fd, 65536)
        said[key.fd].extend(data)
        if not data:
            selector.unregister(key.fd)
    return bool(ready)


@contextmanager
def in_memory(data: bytes) -> Iterator[int]:
    """A descriptor of a file that only this process and its children have, at its beginning."""
    descriptor = os.memfd_create("netdoctor", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
