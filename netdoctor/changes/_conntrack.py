"""Tracked connections that were made before a rule was there, and would go on without it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from netdoctor.system.host import Host, ProgramFailed

SECONDS = 5.0
TRIES = 5
NONE, ENDED = "0 flow entries", "such conntrack doesn't exist"  # what the tool says


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked connection: who asked whom, and who answers whom."""

    source: str
    destination: str
    reply_source: str
    reply_destination: str


def available() -> bool:
    """Whether the conntrack tool is installed."""
    return shutil.which("conntrack") is not None


def parse(text: str) -> set[Tracked]:
    """The connections in what `conntrack -L` prints."""
    found = set()
    for line in text.splitlines():
        ends = re.findall(r"\b(?:src|dst)=(\S+)", line)
        if len(ends) == 4:
            found.add(Tracked(*ends))
    return found


def forget(host: Host, stale: Callable[[Tracked], bool]) -> int:
    """Forget the connections that are stale, and say how many kinds; none where the tool is not installed.

    Raises CannotRead when the tool cannot list them.
    """
    if not available():
        return 0
    count = 0
    for one in parse(host.run(["conntrack", "-L", "-f", "ipv4"], timeout=SECONDS)):
        if not stale(one):
            continue
        delete = [
            "conntrack",
            "-D",
            "-s",
            one.source,
            "-d",
            one.destination,
            "-r",
            one.reply_source,
            "-q",
            one.reply_destination,
        ]
        count += _deleted(host, delete)
    return count


def _deleted(host: Host, delete: list[str]) -> bool:
    """Whether connections of this kind were there and are deleted. Raises CannotRead.

    The tool lists them and deletes one after the other: where one has ended meanwhile it stops before the others.
    """
    for left in reversed(range(TRIES)):
        try:
            host.run(delete, timeout=SECONDS)
        except ProgramFailed as error:
            if NONE in error.said:
                return False
            if not left or ENDED not in error.said:
                raise
        else:
            break
    return True
