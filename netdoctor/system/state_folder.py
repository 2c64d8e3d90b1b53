"""The folder of the journals: anybody who may write there could have root change anything by `netdoctor undo`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from netdoctor.errors import JournalError
from netdoctor.system.ownership import way_to

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def refuse_if_others_may_write(folder: Path) -> None:
    """Raise JournalError unless the folder is this user's or root's and nobody else may write to it or put it aside.

    Nor may anybody else turn a link that leads to it. One that is not there is nobody's. Raises OSError where it cannot
    be looked at.
    """
    for each in (folder, folder / "runs"):
        if each.exists():
            _refuse(each, itself=each)


def _refuse(named: Path, itself: Path | None) -> None:
    """Raise JournalError where somebody else may change what a path leads to; `itself` is to be written to."""
    real = str(itself and os.path.realpath(itself))
    for place, about in way_to(str(named)):
        if reason := _reason(place, about, itself=place == real):
            repair = f"look at what is in it, then: chown -h root: {place} && chmod go-w {place}"
            raise JournalError(f"{named} is not used: {reason}; {repair}")


def _reason(place: str, about: os.stat_result, *, itself: bool) -> str:
    """Why a folder, or a link to one, is not to be trusted, "" where it is."""
    where = "it" if itself else place
    if about.st_uid not in (0, os.geteuid()):
        return f"{where} belongs to uid {about.st_uid}"
    if stat.S_ISLNK(about.st_mode):
        return ""  # its owner and who may write to its folder turn it, and nobody else
    if not stat.S_ISDIR(about.st_mode):
        return f"{where} is not a folder"
    sticky = about.st_mode & stat.S_ISVTX and not itself  # others cannot rename what is not theirs
    of_roots_group = about.st_gid == 0 and not about.st_mode & stat.S_IWOTH
    if about.st_mode & OTHERS_WRITE and not sticky and not of_roots_group:
        return f"others may write to {where} (mode {stat.S_IMODE(about.st_mode):o})"
    return ""


def make(folder: Path) -> None:
    """Make the folder and those above it that are missing, on disk when this returns. Raises JournalError, OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    if missing:
        _refuse(missing[-1].absolute().parent, itself=None)  # before anything is made there
    for each in reversed(missing):
        each.mkdir(mode=0o700 if each == folder else 0o755, exist_ok=True)
        number = os.open(each.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    refuse_if_others_may_write(folder)
