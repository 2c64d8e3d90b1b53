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
from netdoctor.diagnosis.node_versions import in_words, node_versions
from netdoctor.diagnosis.runner import NOT_IN_RECORDING, run
from netdoctor.diagnosis.starting import without_the_starting
from netdoctor.diagnosis.way_out import with_way_out
from netdoctor.errors import CannotRead
from netdoctor.facts import Facts, StrangeFacts
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.recorded import Recorded
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
    started: str  # of a recording: when it was made
    seconds: float
    experimented: bool = True  # whether what failed was tried on copies of the node
    whole: bool = True  # whether every probe was asked

    def report(self, notices: Iterable[str] = (), changes: tuple[Made, ...] = ()) -> Report:
        """The look as a report, with what the user has to know first, and what earlier repairs have changed."""
        known = self.facts.known()
        this, points, experiments = known.get(ThisNode), known.get(VantagePoints), self.experiments
        host = self.facts.get(Host)
        versions = node_versions(known, _machine(host, known))
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
            kubeconfig=kubeconfig.used() if host.live else "",
            about=tuple(in_words(versions)),
            remarks=tuple(self._remarks()),
            recorded=not host.live,
            versions=versions,
        )

    def _notices(self) -> Iterator[str]:
        """What could not be seen or tried."""
        known = self.facts.known()
        yield from self._of_recording(known)
        points, tried, network = known.get(VantagePoints), known.get(Experiments), known.get(NodeNetwork)
        if isinstance(points, VantagePoints) and points.no_new_pod:
            yield f"no test pod was made: {points.no_new_pod}"
        if isinstance(tried, CannotRead):
            yield f"not verified on a copy of the node: {tried.reason}"
        if self.experiments and self.experiments.cut_short:
            limit = self.experiments.cut_short
            yield f"experiments on copies of the node were cut short after {limit}: some minimal fixes may be missing"
        if self.experiments and isinstance(network, NodeNetwork) and (lacking := missing_in_words(network.state)):
            yield lacking

    def _of_recording(self, known: Mapping[type, object]) -> Iterator[str]:
        """What a recording has that this netdoctor does not know, and what it lacks because it is older."""
        strange = known.get(StrangeFacts)
        if isinstance(strange, StrangeFacts) and strange.names:
            yield strange.in_words()
        if older := [name for name, result in self.results.items() if result.reason == NOT_IN_RECORDING]:
            count = "1 check was" if len(older) == 1 else f"{len(older)} checks were"
            yield f"{count} not recorded: this recording is older ({', '.join(older[:3])})"

    def _remarks(self) -> Iterator[str]:
        """What seldom matters: settings that a copy of the node does not have."""
        network = self.facts.known().get(NodeNetwork)
        if isinstance(network, NodeNetwork) and network.state.not_set_in_words:
            yield network.state.not_set_in_words


def _machine(host: Host, known: Mapping[type, object]) -> Recorded | None:
    """This machine, or what a recording says of the one that it was made on."""
    if host.live:
        return Recorded.here(host)
    recorded = known.get(Recorded)
    return recorded if isinstance(recorded, Recorded) else None


def _experiment(trial: Trial) -> Experiment:
    cures = tuple(tuple(tried.change for tried in cure) for cure in trial.cures)
    ended = "" if trial.passes else trial.legacy or trial.route or f"{trial.dropped} {trial.dropped.text}".strip()
    return Experiment(trial.flow, trial.node, trial.twin, trial.alike, ended, cures, trial.necessary)


def look(
    catalogue: Catalogue,
    facts: Facts | None = None,
    only: Iterable[str] | None = None,
    watch: Callable[[Facts], object] | None = None,
    *,
    experiments: bool = True,
) -> Look:
    """Ask every probe (or those named) on new facts, and remove everything that was made for it.

    `watch` is given the facts before anything is read, so that it can tell what is being waited for. Without
    `experiments` nothing is tried on copies of the node.
    """
    begin, facts = time.monotonic(), facts or Facts()
    recorded = facts.known().get(Recorded)
    started = recorded.at if isinstance(recorded, Recorded) else now()
    with closing(facts):
        if watch:
            watch(facts)
        results = run(catalogue, facts, only, experiments=experiments)
        tried = facts.known().get(Experiments)
        made = tried if isinstance(tried, Experiments) else None
        diagnoses = verified(catalogue, diagnose(catalogue, results), made)
        results, diagnoses = without_the_starting(catalogue, results, diagnoses)
        diagnoses = tuple(with_way_out(catalogue, each, facts) for each in diagnoses)
        seconds = time.monotonic() - begin
    return Look(results, diagnoses, facts, made, started, seconds, experiments, only is None)


@contextmanager
def closing(facts: Facts) -> Iterator[Facts]:
    """Close the facts at the end, also when Ctrl-C, SIGTERM or SIGHUP ends it."""
    try:
        yield facts
    finally:
        facts.close()
