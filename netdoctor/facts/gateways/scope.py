"""Whose needs are asked about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """whose needs are checked

    `check` judges everything that it finds; the gate judges what the modules need, and not their neighbours. A
    recording holds the node's network state also where nothing fails.
    """

    modules_only: bool
    whole_state: bool = False

    @classmethod
    def collect(cls) -> Scope:
        """Everything, unless a command gave another one."""
        return cls(False)
