"""How much work a search may do: copies, and processor time that this process got.

A limit of the clock's would give a busy node a different answer from a quiet one; so it gets the same answer, later.
"""

from __future__ import annotations

import os
import resource
import time

from netdoctor.system.patience import patience

COPIES = 60  # most searches need 3 to 16
PROCESSOR_SECONDS = 10.0  # 1 to 3 are usual; with 5,000 Services a copy takes 0.5
RECORDED_SECONDS = 4.0
RECORDED_OBJECTS = 60_000  # of nftables; of more, no copy can be made and asked in that time
RECORDED_WALL_SECONDS = 6.0
WALL_SECONDS = 90.0  # far out: only a machine that is stuck gets here


class WorkLimit:
    """The work that one search may still do."""

    def __init__(
        self, copies: int = COPIES, processor_seconds: float = PROCESSOR_SECONDS, wall_seconds: float = WALL_SECONDS
    ) -> None:
        self._copies, self._processor_seconds, self._wall_seconds = copies, processor_seconds, wall_seconds
        self._processor_begin, self._wall_begin = processor_time(), time.monotonic()

    def reached_by(self, copies: int) -> str:
        """Which limit a search is at that has made so many copies, in words; "" while it may go on."""
        if copies >= self._copies:
            return f"{self._copies} copies"
        if processor_time() - self._processor_begin >= self._processor_seconds:
            return f"{self._processor_seconds:g} s of processor time"
        if time.monotonic() - self._wall_begin >= self._wall_seconds:
            return f"{self._wall_seconds:g} s"
        return ""


def is_rationed() -> bool:
    """Whether this process has so much processor time and no more, as the one that judges a recording."""
    return resource.getrlimit(resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY


def work_limit() -> WorkLimit:
    """What a search may do here: less where all of a recording has to be judged within its ten seconds."""
    if not is_rationed():
        return WorkLimit()
    return WorkLimit(processor_seconds=RECORDED_SECONDS, wall_seconds=patience(RECORDED_WALL_SECONDS))


def processor_time() -> float:
    """Seconds of processor time that this process and its ended children have used, in user and kernel mode."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
