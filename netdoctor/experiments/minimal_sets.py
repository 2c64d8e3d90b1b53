"""Which smallest sets of changes let each flow pass; how a set is tried is the caller's matter.

Each candidate alone first, and remedies two by two. Where that is not enough, the whole set is made smaller for as
long as the flow still passes. Last the opposite: with everything changed but a smallest set, the flow has to fail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

from netdoctor.experiments.interventions import UNNAMED, Intervention

ChangeSet = tuple[Intervention, ...]
Passes = Callable[[ChangeSet], Mapping[str, bool] | None]


def minimal_sets(
    candidates: Sequence[Intervention],
    passes: Passes,
    curable: Collection[str],
    *,
    likely: Collection[str] = (),
    at_once: int = 1,
) -> dict[str, list[ChangeSet]]:
    """The smallest sets of candidates with which each flow passes, each of them enough alone, by the flow's name.

    `passes` says of each flow, by its name, whether it passes with a set; None once nothing can be tried any more.
    `curable`: the flows that pass with all candidates; no further set is tried once each of them has one. `likely`:
    causes whose candidates are tried before others. `at_once`: how many sets `passes` is asked for side by side.
    """
    found, is_complete = _small_sets(candidates, passes, curable, likely, at_once)
    for flow in curable if is_complete else ():
        if found[flow]:
            continue
        shrunk = _shrunk(candidates, passes, flow)
        if shrunk is None:
            break
        if shrunk:
            found[flow].append(shrunk)
    return found


def everything_else(cure: ChangeSet, candidates: Iterable[Intervention]) -> ChangeSet:
    """The candidates that are not in a set, without those that remove the same cause in another way."""
    causes = {c.cause for c in cure} - {UNNAMED}
    return tuple(c for c in candidates if c not in cure and c.cause not in causes)


def is_necessary(cure: ChangeSet, candidates: Iterable[Intervention], fails: Callable[[ChangeSet], bool]) -> bool:
    """Whether a flow that a set cures fails with everything else changed; `fails` says so of the set of that."""
    rest = everything_else(cure, candidates)
    return not rest or fails(rest)


def _small_sets(
    candidates: Sequence[Intervention],
    passes: Passes,
    curable: Collection[str],
    likely: Collection[str],
    at_once: int,
) -> tuple[dict[str, list[ChangeSet]], bool]:
    """The sets of one candidate, else of two remedies, with which each flow passes; and whether all could be tried.

    Remedies are tried first, and of them those of likely causes.
    """
    found: dict[str, list[ChangeSet]] = defaultdict(list)
    ordered = sorted(candidates, key=lambda c: (not c.remedy, c.cause not in likely))
    for sets in _by_size(ordered):
        for start in range(0, len(sets), at_once):
            if curable and all(found[flow] for flow in curable):
                return found, True
            part = sets[start : start + at_once]
            with ThreadPoolExecutor(at_once) as threads:
                answers = list(threads.map(passes, part))
            for chosen, answer in zip(part, answers, strict=True):
                _take(chosen, answer or {}, found)
            if None in answers:
                return found, False
    return found, True


def _by_size(ordered: list[Intervention]) -> Iterator[list[ChangeSet]]:
    """Each candidate alone, then each pair of remedies."""
    yield [(each,) for each in ordered]
    yield list(combinations([each for each in ordered if each.remedy], 2))


def _take(chosen: ChangeSet, answer: Mapping[str, bool], found: dict[str, list[ChangeSet]]) -> None:
    """Keep a set for the flows that pass with it: one candidate always, two only where nothing smaller was found."""
    for flow, fine in answer.items():
        if fine and (len(chosen) == 1 or not found[flow]):
            found[flow].append(chosen)


def _shrunk(candidates: Sequence[Intervention], passes: Passes, flow: str) -> ChangeSet | None:
    """A smallest set within the whole one: everything dispensable is left out, first what is not a remedy.

    None where not all could be tried.
    """
    kept = tuple(candidates)
    for candidate in sorted(candidates, key=lambda c: c.remedy):
        fewer = tuple(c for c in kept if c is not candidate)
        answer = passes(fewer)
        if answer is None:
            return None
        if answer.get(flow):
            kept = fewer
    return kept
