"""One look at the node: facts, results and diagnoses, and the report of them."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from netdoctor import __version__
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.conclude import verified
from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.runner import NOT_IN_RECORDING, run
from netdoctor.errors import CannotRead
from netdoctor.facts import Facts, StrangeFacts
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.experiments import Experiments, Trial
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.model import Diagnosis, Experiment, Made, Report, Result
from netdoctor.system import kubeconfig
from netdoctor.system.clock import now
from netdoctor.system.host import Host
from netdoctor.twin.missing_programs import missing_in_words


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    results: Mapping[str, Result]
    diagnoses: tuple[Diagnosis, ...]
    facts: Facts
    experiments: Experiments | None
    started: str
    seconds: float

    def report(self, notices: Iterable[str] = (), changes: tuple[Made, ...] = ()) -> Report:
        """The look as a report, with what the user has to know first, and what earlier repairs have changed."""
        known = self.facts.known()
        this, points, experiments = known.get(ThisNode), known.get(VantagePoints), self.experiments
        return Report(
            results=tuple(self.results.values()),
            diagnoses=self.diagnoses,
            node=this.name if isinstance(this, ThisNode) else platform.node(),
            vantage_points=tuple(p.name for p in points.points) if isinstance(points, VantagePoints) else (),
            started=self.started,
            seconds=round(self.seconds, 2),
            tool=f"netdoctor {__version__}",
            notices=(*notices, *self._notices()),
            changes=changes,
            experiments=tuple(_experiment(trial) for trial in experiments.trials) if experiments else (),
            copies=experiments.copies if experiments else 0,
            kubeconfig=kubeconfig.used() if self.facts.get(Host).live else "",
        )

    def _notices(self) -> Iterator[str]:
        """What could not be seen or tried."""
        points = self.facts.known().get(VantagePoints)
        yield from self._about_the_recording()
        if isinstance(points, VantagePoints) and points.no_new_pod:
            yield f"no test pod: {points.no_new_pod}"
        yield from self._about_copies()

    def _about_the_recording(self) -> Iterator[str]:
        """What it holds and nobody knows, and what is judged and it does not hold."""
        strange = self.facts.known().get(StrangeFacts)
        if isinstance(strange, StrangeFacts) and strange.names:
            yield strange.in_words()
        older = [name for name, result in self.results.items() if result.reason == NOT_IN_RECORDING]
        if older:
            yield f"not in this recording, which is older than these checks: {', '.join(older)}"

    def _about_copies(self) -> Iterator[str]:
        """What copies of the node could not show."""
        known = self.facts.known()
        tried, network = known.get(Experiments), known.get(NodeNetwork)
        if isinstance(tried, CannotRead):
            yield f"not verified on a copy of the node: {tried.reason}"
        if self.experiments and self.experiments.cut_short:
            limit = self.experiments.cut_short
            yield f"experiments on copies of the node were cut short after {limit}: not every smallest change is known"
        if isinstance(network, NodeNetwork):
            lacking = missing_in_words(network.state) if self.experiments else ""
            yield from filter(None, (network.state.not_set_in_words, lacking))


def _experiment(trial: Trial) -> Experiment:
    cures = tuple(tuple(tried.change for tried in cure) for cure in trial.cures)
    ended = "" if trial.passes else trial.legacy or trial.route or f"{trial.dropped} {trial.dropped.text}".strip()
    return Experiment(trial.flow, trial.node, trial.twin, trial.alike, ended, cures, trial.necessary)


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
        tried = facts.known().get(Experiments)
        experiments = tried if isinstance(tried, Experiments) else None
        diagnoses = verified(catalogue, diagnose(catalogue, results), experiments)
        seconds = time.monotonic() - begin
    return Look(results, diagnoses, facts, experiments, started, seconds)


@contextmanager
def closing(facts: Facts) -> Iterator[Facts]:
    """Close the facts at the end, also when Ctrl-C, SIGTERM or SIGHUP ends it."""
    try:
        yield facts
    finally:
        facts.close()
