"""The folder of the journals: whoever may write there could have root change anything by `netdoctor undo`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from netdoctor.errors import JournalError

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def refuse_if_others_may_write(folder: Path) -> None:
    """Raise JournalError unless the folder is this user's or root's and nobody else may write to it or put it aside.

    One that is not there is nobody's. Raises OSError where it cannot be looked at.
    """
    for each in (folder, folder / "runs"):
        if not each.exists():
            continue
        real = Path(os.path.realpath(each))
        for place in (real, *real.parents):
            if reason := _reason(place, itself=place == real):
                repair = f"look at what is in it, then: chown root: {place} && chmod go-w {place}"
                raise JournalError(f"{each} is not used: {reason}; {repair}")


def _reason(place: Path, *, itself: bool) -> str:
    """Why a folder is not to be trusted, "" where it is."""
    about = place.stat()
    where = "it" if itself else str(place)
    if not stat.S_ISDIR(about.st_mode):
        return f"{where} is not a folder"
    if about.st_uid not in (0, os.geteuid()):
        return f"{where} belongs to uid {about.st_uid}"
    sticky = about.st_mode & stat.S_ISVTX and not itself  # others cannot rename what is not theirs
    of_roots_group = about.st_gid == 0 and not about.st_mode & stat.S_IWOTH
    if about.st_mode & OTHERS_WRITE and not sticky and not of_roots_group:
        return f"others may write to {where} (mode {stat.S_IMODE(about.st_mode):o})"
    return ""


def make(folder: Path) -> None:
    """Make the folder and those above it that are missing, on disk when this returns. Raises JournalError, OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700 if each == folder else 0o755, exist_ok=True)
        number = os.open(each.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    refuse_if_others_may_write(folder)
