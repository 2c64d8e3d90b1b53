"""One look at the node: facts, results and diagnoses, and the report of them."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from netdoctor import __version__
from netdoctor.catalogue import Catalogue
from netdoctor.clock import now
from netdoctor.diagnosis import diagnose
from netdoctor.facts import Facts
from netdoctor.facts.this_node import ThisNode
from netdoctor.facts.vantage import VantagePoints
from netdoctor.model import Diagnosis, Made, Report, Result
from netdoctor.runner import run


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    results: Mapping[str, Result]
    diagnoses: tuple[Diagnosis, ...]
    facts: Facts
    started: str
    seconds: float

    def report(self, notices: Iterable[str] = (), changes: tuple[Made, ...] = ()) -> Report:
        """The look as a report, with what the user has to know first, and what earlier repairs have changed."""
        known = self.facts.known()
        this, points = known.get(ThisNode), known.get(VantagePoints)
        if isinstance(points, VantagePoints) and points.no_new_pod:
            notices = (*notices, f"no test pod: {points.no_new_pod}")
        return Report(
            results=tuple(self.results.values()),
            diagnoses=self.diagnoses,
            node=this.name if isinstance(this, ThisNode) else platform.node(),
            vantage_points=tuple(p.name for p in points.points) if isinstance(points, VantagePoints) else (),
            started=self.started,
            seconds=round(self.seconds, 2),
            tool=f"netdoctor {__version__}",
            notices=tuple(notices),
            changes=changes,
        )


def look(
    catalogue: Catalogue,
    facts: Facts | None = None,
    only: Iterable[str] | None = None,
    watch: Callable[[Facts], object] | None = None,
) -> Look:
    """Ask every probe (or those named) on new facts, and take away whatever was made for it.

    `watch` is given the facts before anything is read, so that it can tell what is being waited for.
    """
    begin, started = time.monotonic(), now()
    facts = facts or Facts()
    with closing(facts):
        if watch:
            watch(facts)
        results = run(catalogue, facts, only)
        diagnoses = diagnose(catalogue, results)
        seconds = time.monotonic() - begin
    return Look(results, diagnoses, facts, started, seconds)


@contextmanager
def closing(facts: Facts) -> Iterator[Facts]:
    """Close the facts at the end, also when Ctrl-C or SIGTERM ends it."""
    try:
        yield facts
    finally:
        facts.close()
