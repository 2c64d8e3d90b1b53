"""What was tried on copies of the node: whether lost packets are lost there too, and which change lets them pass.

Plain data, which the stage `netdoctor.diagnosis.experiment` makes: what is tried, the remedies among it, no
fact knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.model import Confidence, Evidence, Finding, Subject
from netdoctor.system.nft_trace import Dropped


@dataclass(frozen=True, slots=True)
class Tried:
    """A change that was tried, and the fault that it removes."""

    name: str
    cause: str  # a probe
    says: str
    change: str
    remedy: bool
    by_hand: tuple[str, ...] = ()  # what to type on the node for the same
    changes: tuple[tuple[str, str], ...] = ()  # the same on the node, where a remedy may make it: kind, fields as JSON


@dataclass(frozen=True, slots=True)
class Trial:
    """One flow that failed, in the twin."""

    flow: str
    kind: str
    node: str  # how it ended there, in words
    twin: str
    alike: bool  # whether it ended in the twin as on the node
    passes: bool  # whether it arrived in the twin
    dropped: Dropped
    legacy: str
    route: str
    cures: tuple[tuple[Tried, ...], ...]  # smallest sets of changes, each enough alone
    necessary: tuple[bool, ...]  # of each: whether everything else together is not enough
    packet: str = ""  # the arguments with which `netdoctor trace` follows it, "" where its pod is gone by then

    def __post_init__(self) -> None:
        """Raise ValueError where it is not said of each cure whether it is necessary, or a cure changes nothing."""
        if len(self.cures) != len(self.necessary) or not all(self.cures):
            raise ValueError("not every cure has its changes, and whether it is necessary")


@dataclass(frozen=True, slots=True)
class Experiments:
    """experiments on copies of the node"""

    derived: ClassVar[bool] = True
    trials: tuple[Trial, ...]
    programs: tuple[str, ...]  # what a copy does not have: tc filters and queues, XDP, IPsec
    copies: int
    seconds: float
    cut_short: str = ""  # the limit that ended the search before it was done, in words
    tried_causes: tuple[str, ...] = ()  # probes whose fault some change takes away
    not_tried: tuple[tuple[str, str], ...] = ()  # what a copy cannot show, and why

    def without_commands(self) -> Experiments:
        """The same without what a person is told to type: in a recording a stranger may have written it."""
        return replace(self, trials=tuple(_without_commands(trial) for trial in self.trials))


def _without_commands(trial: Trial) -> Trial:
    cures = tuple(tuple(replace(tried, by_hand=(), changes=()) for tried in cure) for cure in trial.cures)
    return replace(trial, cures=cures, packet="")


def trials_of(experiments: Experiments | CannotRead, failed: FailedFlows) -> tuple[Trial, ...]:
    """What was tried. Raises CannotRead where a flow failed and nothing could be tried."""
    if isinstance(experiments, CannotRead):
        if failed.items:
            raise experiments
        return ()
    return experiments.trials


def with_no_other_cure(trials: Iterable[Trial], cause: str) -> list[Trial]:
    """The trials of flows that pass only where the fault of the probe `cause` is removed."""
    return [trial for trial in trials if not any(all(tried.cause != cause for tried in cure) for cure in trial.cures)]


def smallest_cures(trials: Iterable[Trial], cause: str) -> dict[Tried, list[str]]:
    """Each change of the smallest cures that removes the fault of the probe `cause`, and the flows that it cures."""
    found: dict[Tried, list[str]] = {}
    for trial in trials:
        for tried in min(trial.cures, key=len, default=()):
            if tried.cause == cause:
                found.setdefault(tried, []).append(trial.flow)
    return found


def findings_of_cures(trials: Iterable[Trial], cause: str, node: str) -> Iterator[Finding]:
    """A finding for each change of the smallest cures that removes the fault of the probe `cause`."""
    for tried, flows in smallest_cures(trials, cause).items():
        passes = f"passes {tried.change if tried.change.startswith('with') else f'once {tried.change}'}"
        yield Finding(
            tried.says,
            tuple(Evidence(f"copy of the node, {flow}", passes, "passes as it is") for flow in flows[:2]),
            Subject(node=node),
            confidence=Confidence.CONFIRMED,
            by_hand=tried.by_hand,
        )
