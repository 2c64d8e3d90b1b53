"""A recording that the user named, opened with the rights of the user behind sudo; or what a pipe gives."""

from __future__ import annotations

import fcntl
import os
import stat
from typing import BinaryIO

from netdoctor.errors import BadInput, CannotRead
from netdoctor.system.foreign_files import open_named, own_descriptor
from netdoctor.system.foreign_json import LARGEST

STANDARD_INPUT, ITS_DESCRIPTOR = "-", "/proc/self/fd/0"
PART = 1 << 20  # bytes


def open_recording(path: str) -> BinaryIO:
    """A recording that the user named, open for reading with the rights of the user behind sudo. Raises BadInput.

    "-" is standard input. A pipe that this process has open already is read to its end first.
    """
    name = "standard input" if path == STANDARD_INPUT else path
    path = ITS_DESCRIPTOR if path == STANDARD_INPUT else path
    try:
        own = own_descriptor(path)
        if own is not None and fcntl.fcntl(own, fcntl.F_GETFL) & (os.O_PATH | os.O_WRONLY):
            raise BadInput(f"{name} cannot be read: it is not open for reading")
        if own is not None and not stat.S_ISREG(os.fstat(own).st_mode):
            file = _held(own)
        else:
            file = os.fdopen(open_named(path), "rb")
        size = os.fstat(file.fileno()).st_size
    except CannotRead as error:
        raise BadInput(f"{name} cannot be read: {error.reason}") from error
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or error}") from error
    if size > LARGEST:
        file.close()
        raise BadInput(f"{name} cannot be read: it is larger than {LARGEST >> 20} MB, the most that is read")
    return file


def _held(descriptor: int) -> BinaryIO:
    """What a pipe or a terminal gives, in memory and not looked at: no more than is needed to refuse it."""
    file = os.fdopen(os.memfd_create("recording"), "w+b")
    left = LARGEST + 1
    while left > 0 and (part := os.read(descriptor, min(left, PART))):
        file.write(part)
        left -= len(part)
    file.seek(0)
    return file


def read_recording(path: str) -> bytes:
    """The bytes of a recording that the user named. Raises BadInput."""
    with open_recording(path) as file:
        return file.read(LARGEST + 1)
