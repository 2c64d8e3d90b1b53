"""A recording that the user named, opened with the rights of the user behind sudo."""

from __future__ import annotations

import os
from typing import BinaryIO

from netdoctor.errors import BadInput, CannotRead
from netdoctor.system.foreign_files import open_named
from netdoctor.system.foreign_json import LARGEST


def open_recording(path: str) -> BinaryIO:
    """A recording that the user named, open for reading with the rights of the user behind sudo. Raises BadInput."""
    try:
        file = os.fdopen(open_named(path), "rb")
        size = os.fstat(file.fileno()).st_size
    except CannotRead as error:
        raise BadInput(f"{path} cannot be read: {error.reason}") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    if size > LARGEST:
        file.close()
        raise BadInput(f"{path} cannot be read: a recording does not have {size >> 20} MB")
    return file


def read_recording(path: str) -> bytes:
    """The bytes of a recording that the user named. Raises BadInput."""
    with open_recording(path) as file:
        return file.read(LARGEST + 1)
