"""The lab's node for one fault after the other: it goes on without a reset where a fault left nothing behind.

A node that equals its own state from before the fault, within itself and outside, is as good as a fresh one and nine
seconds cheaper: to the byte, but for the names that a pod is given by chance. Nothing is taken for granted: what fails
on a node that went on is tried again on a fresh one.
"""

from __future__ import annotations

import time

from tests.conftest import Lab
from tests.node_state import (
    OUTSIDE_SCRIPT,
    SCRIPT,
    State,
    difference,
    owners_sorted,
    script,
    sections,
    without_given_names,
)

# seconds for what the node itself takes back: the test pod of a check, a port that begins to learn, a pod's readiness
CALM = (0.5, 2.0, 4.0)
READY = script({
    "ready": "kubectl get pods,endpointslices,nodes -A --no-headers -o custom-columns="
    "'KIND:.kind,NAME:.metadata.name,READY:.status.conditions[?(@.type==\"Ready\")].status,"
    "ENDPOINTS:.endpoints[*].conditions.ready,ADDRESSES:.endpoints[*].addresses' | sort"
})  # fmt: skip


class FaultNode:
    """A healthy node for each fault, and whether it was made for it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._as_it_was: State = {}
        self._firewalld = ""
        self._goes_on = False  # whether the last fault left nothing behind; any other end means a fresh node

    def make_healthy(self, firewalld: str) -> bool:
        """A healthy node with this version of firewalld at boot; whether it is a fresh one."""
        goes_on, self._goes_on = self._goes_on and self._firewalld == firewalld, False
        if not goes_on:
            self.reset(firewalld)
        return not goes_on

    def reset(self, firewalld: str) -> None:
        """A fresh node, and what it is like."""
        self.lab.reset(firewalld)  # it waits until everything answers
        self._firewalld, self._as_it_was = firewalld, self._now()

    def left(self, *, healed: bool) -> str:
        """What the last fault left behind, "" where nothing; then the node goes on."""
        if not healed:
            return "not healed"
        changed = difference(self._as_it_was, self._now())
        for pause in CALM:
            if not changed:
                break
            time.sleep(pause)
            changed = difference(self._as_it_was, self._now())
        self._goes_on = not changed
        return changed

    def _now(self) -> State:
        outside = self.lab.outside(OUTSIDE_SCRIPT)
        assert outside.returncode == 0, outside.stderr
        found = owners_sorted(sections(self.lab.must(f"{SCRIPT}\n{READY}")) | sections(outside.stdout))
        return without_given_names(found)
