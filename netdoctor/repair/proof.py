"""Whether a repair has worked: the node is looked at again until what has to pass does, for a limited time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.facts import parameters
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.model import Outcome, Result, Severity
from netdoctor.system.questions import believing_silence_after

if TYPE_CHECKING:
    from netdoctor.diagnosis.check import Look

SETTLE_SECONDS = 10.0  # what was broken may need a moment: CoreDNS is asked for its readiness once in a while
START_SECONDS = 30.0  # for what was started a moment ago
HOPELESS_LOOKS = 3  # a target that fails as often in a row is not going to pass
PAUSE = 0.5
PROMPT = 0.4  # seconds, in which nearly every answer comes: only where one does not is more time given
FINE = (Outcome.PASS, Outcome.NOT_APPLICABLE)


class LookAgain(Protocol):
    """A new look at the node."""

    def __call__(self, experiments: bool, only: Collection[str] | None = None) -> Look:
        """Look: `experiments`: whether what fails is tried on copies; `only`: the probes to ask, None for all."""


def rests_on_experiments(catalogue: Catalogue, probe: str) -> bool:
    """Whether a probe goes by what copies of the node showed, so that without experiments it would pass."""
    waiting = [wanted.kind for wanted in parameters(catalogue.probes[probe].run)]
    seen: set[type] = set()
    while waiting:
        kind = waiting.pop()
        collect = getattr(kind, "collect", None)
        if collect and kind not in seen and not getattr(kind, "without_experiments", False):
            waiting += [wanted.kind for wanted in parameters(collect)]
        seen.add(kind)
    return Experiments in seen


def guards_of(catalogue: Catalogue, seen: Look) -> list[str]:
    """The probes that have to pass after a repair as they do now: not those that pass because nothing was tried.

    Nor an act: it was done before the repair, and may show only once what explained it is repaired.
    """
    passed = [
        name
        for name, result in seen.results.items()
        if result.outcome is Outcome.PASS and not catalogue.probes[name].act
    ]
    return passed if seen.experimented else [name for name in passed if not rests_on_experiments(catalogue, name)]


def complete(seen: Look, look: LookAgain) -> Look:
    """The same; or a new look where not all was asked, or where something is wrong and nothing was tried on copies."""
    all_fine = all(map(_is_fine, seen.results.values()))
    return seen if seen.whole and (seen.experimented or all_fine) else look(True)


def _is_fine(result: Result) -> bool:
    """Whether nothing that somebody feels is wrong or unknown: a warning is of what may hurt later."""
    if result.outcome is Outcome.FAIL:
        return all(finding.severity is Severity.WARNING for finding in result.findings)
    return result.outcome in FINE


def settled(seen: Look, look: LookAgain) -> Look:
    """Look at all until nothing is wrong or unknown any more, while that changes, and for a limited time.

    A repaired node needs a moment to recover: CoreDNS is asked for its readiness once in a while.
    """
    begin, same = time.monotonic(), 1
    if not seen.whole:
        seen = look(False)
    while not all(map(_is_fine, seen.results.values())):
        is_starting = any(result.starting for result in seen.results.values())
        longest = START_SECONDS if is_starting else SETTLE_SECONDS
        if time.monotonic() - begin > longest or (same >= HOPELESS_LOOKS and not is_starting):
            break
        time.sleep(PAUSE)
        before, seen = _outcomes(seen), look(False)
        same = same + 1 if _outcomes(seen) == before else 1
    return seen


def _outcomes(seen: Look) -> dict[str, Outcome]:
    return {name: result.outcome for name, result in seen.results.items()}


def prove(target: str, guards: Collection[str], look: Callable[[], Look]) -> tuple[Look, str]:
    """Look until the target and every guard are fine, for a limited time; "" or what is wrong in the last look.

    The first look waits for prompt answers alone: what still fails for another reason may be silent for seconds.
    """
    end = time.monotonic() + SETTLE_SECONDS
    with believing_silence_after(PROMPT):
        seen = look()
    looks = 0
    while not _is_proved(target, guards, seen):
        hopeless = _fails(target, seen) and looks >= HOPELESS_LOOKS
        if looks and (time.monotonic() > end or hopeless):
            return seen, _still_wrong(target, seen) if _fails(target, seen) else _now_wrong(_broken(guards, seen))
        time.sleep(PAUSE if looks else 0)
        seen = look()
        looks += 1
    return seen, ""


def _is_proved(target: str, guards: Collection[str], seen: Look) -> bool:
    return not _fails(target, seen) and not _broken(guards, seen)


def _fails(target: str, seen: Look) -> bool:
    return _outcomes(seen).get(target) not in FINE


def _broken(guards: Collection[str], seen: Look) -> list[str]:
    """The guards that are not fine any more."""
    return [name for name in guards if name not in seen.results or not _is_fine(seen.results[name])]


def _still_wrong(target: str, seen: Look) -> str:
    """Why the probe that has to pass does not."""
    result = seen.results.get(target)
    if result is None:
        why = "it was not asked"
    elif result.findings:
        why = result.findings[0].summary
    else:
        why = result.reason
    return f"{target} does not pass: {why}"


def _now_wrong(broken: list[str]) -> str:
    """Which probes passed before the step and do not pass after it."""
    return f"{', '.join(broken)} passed before the change and {'fails' if len(broken) == 1 else 'fail'} now"
