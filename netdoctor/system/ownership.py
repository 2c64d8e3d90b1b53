"""Who besides root may change what a path leads to, and with whose rights root uses it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from netdoctor.system.rights import Rights

ANYBODY = -1  # among the writers of a path: users whom nobody can name
NOBODY = Rights(65534, 65534)  # may read only what everybody may
MOST_LINKS = 40  # as the kernel has it


def writers(path: str) -> frozenset[int]:
    """The users besides root who may change what this path leads to: of the file, of each link and each folder.

    ANYBODY is among them where a group or everybody may write. Raises OSError where the path leads nowhere.
    """
    found: set[int] = set()
    for _, about in way_to(path):
        _judge(about, found)
    return frozenset(found)


def way_to(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Each folder and link that a path leads through, and what it leads to. Raises OSError where it leads nowhere."""
    waiting = [part for part in str(Path(path).absolute()).split("/") if part]
    place, links = "/", 0
    yield "/", os.lstat("/")
    while waiting:
        part = waiting.pop(0)
        if part in (".", ".."):
            place = str(Path(place).parent) if part == ".." else place
            continue
        here = f"{place.rstrip('/')}/{part}"
        about = os.lstat(here)
        yield here, about
        if not stat.S_ISLNK(about.st_mode):
            place = here
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = str(Path(here).readlink())
        place = "/" if target.startswith("/") else place
        waiting = [part for part in target.split("/") if part] + waiting


def _judge(about: os.stat_result, found: set[int]) -> None:
    if about.st_uid != 0:
        found.add(about.st_uid)
    # in root's sticky folder nobody can replace what belongs to somebody else
    sticky = stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX
    if about.st_mode & 0o022 and not stat.S_ISLNK(about.st_mode) and not sticky:
        found.add(ANYBODY)


def rights_for(uids: frozenset[int]) -> Rights | None:
    """With whose rights to use what these users may change: None for root's own, nobody's where several may."""
    if not uids:
        return None
    (uid, *others) = sorted(uids)
    return NOBODY if others or uid == ANYBODY else Rights.of(uid)


def described(uids: frozenset[int]) -> str:
    """Who these users are, in words."""
    names = [Rights.of(uid).name for uid in sorted(uids) if uid != ANYBODY]
    return " and ".join([*names, *(["others"] if ANYBODY in uids else [])])
