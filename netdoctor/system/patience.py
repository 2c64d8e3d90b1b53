"""How long to wait before silence is believed: on a busy machine the answer itself waits for a processor."""

from __future__ import annotations

import os

LONGEST = 8.0  # times as long at the most
RUNNABLE = 3  # the field of /proc/loadavg with `running/all` tasks


def patience(seconds: float) -> float:
    """So many seconds of a quiet machine, as this machine is now: times the tasks that want each of its processors."""
    return seconds * min(LONGEST, max(1.0, tasks_per_processor()))


def tasks_per_processor() -> float:
    """Tasks that run or want to run, for each processor that this process may use; 1 where the kernel does not say."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:  # noqa: PTH123 - read for every question
            running, _, _ = file.read().split()[RUNNABLE].partition("/")
        return int(running) / len(os.sched_getaffinity(0))
    except (OSError, ValueError, IndexError):
        return 1.0
