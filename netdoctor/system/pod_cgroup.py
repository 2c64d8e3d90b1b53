"""Which pod a process belongs to."""

from __future__ import annotations

import re

POD_GROUP = re.compile(r"pod([0-9a-f][0-9a-f_-]*)")


def pod_uid(cgroups: str) -> str:
    """The uid of the pod that a /proc/PID/cgroup names, "" for none; the systemd driver writes it with underscores.

    It is the outermost one: a pod may create groups of any name below its own.
    """
    uids = (POD_GROUP.search(line) for line in cgroups.splitlines())
    return next((uid[1].replace("_", "-") for uid in uids if uid), "")
