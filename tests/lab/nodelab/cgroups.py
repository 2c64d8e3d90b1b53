"""A control group of its own for every node, in every mounted hierarchy.

On cgroup v1 (and v1 beside an empty v2) a node's groups lie below the caller's own. On pure cgroup v2 a group with
processes may not have subgroups with controllers, so there they lie at the top of the mounted hierarchy; that branch
could not be run where the lab was written.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from .processes import LabError

NEEDED_V2 = ("cpu", "cpuset", "io", "memory", "pids")


def hierarchies() -> list[Path]:
    """The folder below which a node's group belongs, one for every mounted hierarchy."""
    own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    mounts = [m for m in mounts if m[2] in ("cgroup", "cgroup2")]
    if all(m[2] == "cgroup2" for m in mounts):
        return [Path(m[1]) for m in mounts[:1]]
    found = []
    for _, where, kind, options, *_ in mounts:
        names = set(options.split(",")) if kind == "cgroup" else {""}
        found += [Path(where + path.rstrip("/")) for _, mine, path in own if names & set(mine.split(","))]
    return found


def make(groups: list[Path]) -> None:
    """Create these empty groups, ready for a node; raises LabError when one is in use or lacks controllers."""
    for group in groups:
        group.mkdir(exist_ok=True)
        if pids(group):
            raise LabError(f"{group} has processes: another lab of this name runs from another cache")
        for file in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 cpuset: no process may enter
            if (group / file).exists() and not (group / "cgroup.controllers").exists():
                (group / file).write_text((group.parent / file).read_text())
    if len(groups) == 1 and (groups[0] / "cgroup.controllers").exists():
        for name in NEEDED_V2:
            with suppress(OSError):
                (groups[0].parent / "cgroup.subtree_control").write_text(f"+{name}")
        lacking = set(NEEDED_V2) - set((groups[0] / "cgroup.controllers").read_text().split())
        if lacking:
            raise LabError(f"{groups[0].parent} does not delegate the cgroup controllers {', '.join(sorted(lacking))}")


def pids(group: Path) -> set[int]:
    """The processes in a group and below it, as numbers in this pid namespace."""
    found: set[int] = set()
    for folder, _, _ in os.walk(group):
        with suppress(OSError):
            found |= {int(line) for line in (Path(folder) / "cgroup.procs").read_text().split()}
    return found - {0}


def remove(groups: list[Path], deadline: float = 10.0) -> None:
    """End what still runs in a node's groups and remove them; raises LabError when that is not done in time."""
    limit = time.monotonic() + deadline
    while left := [group for group in groups if group.exists()]:
        for group in left:
            for pid in pids(group):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):  # groups vanish while they are listed
                for folder, _, _ in os.walk(group, topdown=False):
                    with suppress(OSError):
                        Path(folder).rmdir()
        if time.monotonic() > limit:
            raise LabError(f"cgroup {left[0]} cannot be removed")
        time.sleep(0.01)
