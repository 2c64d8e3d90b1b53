"""The lab's node for one fault after the other: it goes on without a reset where a fault left nothing behind.

A node that equals its own state from before the fault to the byte, within itself and outside, is as good as a fresh one
and nine seconds cheaper. Nothing is taken for granted: what fails on a node that went on is tried again on a fresh one.
"""

from __future__ import annotations

import time

from tests.conftest import Lab
from tests.node_state import OUTSIDE_SCRIPT, SCRIPT, difference, sections

State = dict[str, list[str]]
CALM = 5.0  # seconds for what the node itself takes back: the test pod of a check, a port that begins to learn


class FaultNode:
    """A healthy node for each fault, and whether it was made for it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._as_it_was: State | None = None
        self._firewalld = ""

    def make_healthy(self, firewalld: str) -> bool:
        """A healthy node with this version of firewalld at boot; whether it is a fresh one."""
        if self._as_it_was is not None and self._firewalld == firewalld:
            return False
        self.reset(firewalld)
        return True

    def reset(self, firewalld: str) -> None:
        """A fresh node, and what it is like."""
        self._as_it_was = None
        self.lab.reset(firewalld)  # it waits until everything answers
        self._firewalld, self._as_it_was = firewalld, self._now()

    def left(self, *, healed: bool) -> str:
        """What the last fault left behind, "" where nothing; then the node goes on, else it is thrown away."""
        before, self._as_it_was = self._as_it_was, None
        if not healed or before is None:
            return "not healed"
        end = time.monotonic() + CALM
        while (changed := difference(before, self._now())) and time.monotonic() < end:
            time.sleep(0.5)
        if not changed:
            self._as_it_was = before
        return changed

    def throw_away(self) -> None:
        """The next fault gets a fresh node."""
        self._as_it_was = None

    def _now(self) -> State:
        outside = self.lab.outside(OUTSIDE_SCRIPT)
        assert outside.returncode == 0, outside.stderr
        return sections(self.lab.must(SCRIPT)) | sections(outside.stdout)
