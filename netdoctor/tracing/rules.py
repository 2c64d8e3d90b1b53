"""The steps of a packet at one hook, put in order by base chains: who led where, and what decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netdoctor.twin.walk import TraceStep


@dataclass(frozen=True, slots=True)
class Rules:
    """What one base chain, and those that it jumped to, did with a packet."""

    family: str
    table: str
    chains: tuple[str, ...]  # in the order in which they were entered; the base chain first
    effects: tuple[TraceStep, ...]  # rules that did something other than leading on: a verdict, or a mark
    path: tuple[str, ...]  # the chains that led to the last verdict

    @property
    def verdict(self) -> TraceStep | None:
        """The rule that ended it; None where no rule did."""
        return self.effects[-1] if self.effects and ends(self.effects[-1]) else None


def ends(step: TraceStep) -> bool:
    """Whether a step decides for a whole base chain."""
    return step.is_policy or step.verdict.startswith(("accept", "drop", "queue"))


def rules_of(steps: list[TraceStep]) -> Iterator[Rules]:
    """The steps of one hook, base chain by base chain."""
    group: list[TraceStep] = []
    for step in steps:
        if group and (step.family, step.table) != (group[0].family, group[0].table):
            yield _one(group)
            group = []
        group.append(step)
        if ends(step):
            yield _one(group)
            group = []
    if group:
        yield _one(group)


def _one(steps: list[TraceStep]) -> Rules:
    path = [steps[0].chain]
    for step in steps:
        if step.chain in path:
            del path[path.index(step.chain) + 1 :]
        else:
            path.append(step.chain)
    effects = tuple(s for s in steps if ends(s) or (s.handle and not s.verdict.startswith(("jump", "goto", "return"))))
    chains = tuple(dict.fromkeys(step.chain for step in steps))
    return Rules(steps[0].family, steps[0].table, chains, effects, tuple(path))
