"""Which faults this run repairs and undoes, and in which it asks the gate: a third, and what the change touches.

Every fault is broken and named in each run. `make test ALL=1` (NETDOCTOR_TEST_ALL) takes them all; so does a tree
without git. The change is what was committed since the last pause of an hour, and what is not committed yet.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise

from tests.conftest import ROOT

PARTS = 3
PAUSE = 3600  # seconds between two commits, after which a new change begins
# whoever touches these touches every remedy
EVERY_REPAIR = (
    "netdoctor/changes/", "netdoctor/repair/", "netdoctor/rehearsal/", "netdoctor/cli/fix.py", "netdoctor/cli/undo.py",
    "tests/test_faults.py", "tests/rotation.py", "tests/node_state.py",
)  # fmt: skip
# and these every verdict of the gate
EVERY_GATE = ("netdoctor/cli/gate.py", "netdoctor/diagnosis/gate.py")


def repaired_in_this_run(remedies: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Of the faults that have remedies (name to remedies), those that are repaired and taken back now."""
    return _in_this_run(remedies, EVERY_REPAIR)


def gated_in_this_run(names: Iterable[str]) -> frozenset[str]:
    """Of the faults that say what the gate's verdict is, those in whose state the gate is asked now."""
    return _in_this_run(dict.fromkeys(names, ()), EVERY_GATE)


def pairs_in_this_run(names: Iterable[str]) -> frozenset[str]:
    """Of the pairs of faults, those that are made now."""
    return _in_this_run(dict.fromkeys(names, ()), ())


def _in_this_run(remedies: Mapping[str, tuple[str, ...]], every: tuple[str, ...]) -> frozenset[str]:
    commit = _git("rev-parse", "HEAD").strip()
    if os.environ.get("NETDOCTOR_TEST_ALL") == "1" or not commit:
        return frozenset(remedies)
    return chosen(remedies, commit, changed_files(), every)


def chosen(
    remedies: Mapping[str, tuple[str, ...]], commit: str, changed: frozenset[str], every: tuple[str, ...]
) -> frozenset[str]:
    """A third of the faults by the commit's hash, and those whose file or remedy is among the changed files.

    Where a path that begins with one of `every` has changed, also a fault of each remedy, and each without one.
    """
    number = int(commit, 16)
    found = {name for place, name in enumerate(sorted(remedies)) if place % PARTS == number % PARTS}
    if any(path.startswith(every) for path in changed):
        found |= _one_for_each_remedy(remedies, number)
    for name, wanted in remedies.items():
        files = {f"/{remedy.replace('-', '_')}.py" for remedy in wanted} | {f"tests/faults/{name}.yaml"}
        if any(path.endswith(tuple(files)) for path in changed):
            found.add(name)
    return frozenset(found)


def _one_for_each_remedy(remedies: Mapping[str, tuple[str, ...]], number: int) -> set[str]:
    """A fault for each remedy, another one with each number; and the faults that name none."""
    by_remedy: dict[str, list[str]] = {}
    for name, wanted in sorted(remedies.items()):
        for remedy in wanted:
            by_remedy.setdefault(remedy, []).append(name)
    turns = {names[number % len(names)] for names in by_remedy.values()}
    return turns | {name for name, wanted in remedies.items() if not wanted}


def changed_files() -> frozenset[str]:
    """The files of the change, by their paths in the repository."""
    stamps = [line.split() for line in _git("log", "--first-parent", "--format=%H %ct", "-200").splitlines()]
    base = ""
    for (_, newer), (older, then) in pairwise(stamps):
        if int(newer) - int(then) > PAUSE:
            base = older
            break
    listed = _git("diff", "--name-only", base) if base else _git("ls-files")
    return frozenset(listed.splitlines())


@cache
def _git(*arguments: str) -> str:
    """What git prints; "" where there is no repository or no git."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=False, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""
