"""What was tried on copies of the node: whether lost packets are lost there too, and which change lets them pass."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.errors import CannotRead
from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.experiments.search import Asked, Found, Search
from netdoctor.experiments.work_limit import RECORDED_OBJECTS, WALL_SECONDS, is_rationed, work_limit
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.node_network import NodeNetwork
from netdoctor.facts.traffic.failed_flows import FailedFlow, FailedFlows, refused_by_routing
from netdoctor.model import Change
from netdoctor.repair.plan import changes_of
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import Dropped
from netdoctor.system.traffic import Reply, in_namespace
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.build import Settings, build
from netdoctor.twin.state import State
from netdoctor.twin.twin import Twin
from netdoctor.twin.walk import Walk

LATER = ("file",)  # kinds of change that do nothing before the next boot
AGAIN = 0.5  # seconds for a flow that is asked on the node once more: an error comes at once


@dataclass(frozen=True, slots=True)
class Tried:
    """A change that was tried, and the fault that it takes away."""

    name: str
    cause: str  # a probe
    says: str
    change: str
    remedy: bool


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

    def __post_init__(self) -> None:
        """Raise ValueError where it is not said of each cure whether it is necessary, or a cure changes nothing."""
        if len(self.cures) != len(self.necessary) or not all(self.cures):
            raise ValueError("not every cure has its changes, and whether it is necessary")


@dataclass(frozen=True, slots=True)
class Experiments:
    """experiments on copies of the node"""

    derived: ClassVar[bool] = True
    longest: ClassVar[float] = WALL_SECONDS + 30  # seconds: the search's own limit, and what it takes to end
    trials: tuple[Trial, ...]
    programs: tuple[str, ...]  # what a copy does not have: tc filters and queues, XDP, IPsec
    copies: int
    seconds: float
    cut_short: str = ""  # the limit that ended the search before it was done, in words
    tried_causes: tuple[str, ...] = ()  # probes whose fault some change takes away
    not_tried: tuple[tuple[str, str], ...] = ()  # what a copy cannot show, and why

    @classmethod
    def collect(
        cls,
        facts: Facts,
        failed: FailedFlows,
        network: NodeNetwork | CannotRead,
        cluster: ClusterAddresses,
        cni: CniConfig,
        host: Host,
    ) -> Experiments:
        """Copy the node, ask what failed, and try what remedies would change, and what else may matter.

        Raises CannotRead where no copy can be made or some part of the state cannot be copied.
        """
        begin = time.monotonic()
        if not failed.items:
            return cls((), (), 0, 0.0)
        if isinstance(network, CannotRead):
            raise network
        by_name = {flow.name: flow for flow in failed.items}
        asked, lacking = [], []
        for flow in failed.items:
            try:
                there = flow_of(flow.pod, flow.destination, flow.protocol, flow.port, network.state, cluster)
                there = replace(there, name=flow.question)
                asked.append(Asked(flow.name, there, flow.reply))
            except CannotRead as why:
                lacking.append((flow.name, why.reason))
        if is_rationed() and len(network.state.node.nftables) > RECORDED_OBJECTS:
            raise CannotRead("twin", f"{len(network.state.node.nftables)} rules and sets are too many for its 10 s")
        settings: Settings = {}  # the same in every copy of this state
        limit = work_limit()
        remedies, refused = _remedies(facts, network.state, host, settings)

        def situation(flow: Asked, way: Walk, legacy: str) -> Situation:
            return Situation(network.state, flow.flow, way, legacy, cluster)

        def refusal(twin: Twin, flow: Asked) -> str:
            return twin.run(partial(refused_by_routing, Host(), by_name[flow.name], cni.bridge))

        def again(flow: Asked) -> Reply:
            here = by_name[flow.name]
            return in_namespace(here.netns, here.ask(AGAIN)).result()

        search = Search(network.state, situation, refusal, limit, again if host.live else None, settings=settings)
        found = search.run(asked, remedies) if asked else []
        return cls(
            tuple(_trial(each, by_name[each.asked.name]) for each in found),
            network.state.node.programs,
            search.copies,
            round(time.monotonic() - begin, 2),
            search.cut_short,
            tuple(sorted(search.causes)),
            tuple([*lacking, *refused, *search.refused.items()]),
        )


def trials_of(experiments: Experiments | CannotRead, failed: FailedFlows) -> tuple[Trial, ...]:
    """What was tried. Raises CannotRead where a flow failed and nothing could be tried."""
    if isinstance(experiments, CannotRead):
        if failed.items:
            raise experiments
        return ()
    return experiments.trials


def _trial(found: Found, flow: FailedFlow) -> Trial:
    return Trial(
        flow.name, flow.kind, str(found.asked.reply), str(found.reply), found.alike,
        found.asked.passes(found.reply), found.dropped, found.legacy, found.route,
        tuple(tuple(_tried(each) for each in cure) for cure in found.cures), found.necessary,
    )  # fmt: skip


def _tried(candidate: Intervention) -> Tried:
    return Tried(candidate.name, candidate.cause, candidate.says, candidate.change, candidate.remedy)


def _remedies(
    facts: Facts, state: State, host: Host, settings: Settings
) -> tuple[list[Intervention], list[tuple[str, str]]]:
    """What each remedy would change, to be made in a copy; and why others cannot be tried.

    On a recording the plan is made in a copy as well: what it reads there is the recorded node's, not this machine's.
    """
    catalogue = Catalogue.load()
    found, refused = [], []
    twin = None if host.live else build(state, settings)
    try:
        for remedy in catalogue.remedies.values():
            plan = partial(changes_of, remedy, (), facts)
            changes, reason = twin.run(plan) if twin else plan()
            changes = tuple(change for change in changes if change.kind not in LATER)
            if changes:
                lines = [change.describe() for change in changes]
                found.append(
                    Intervention(
                        remedy.name, remedy.fixes, catalogue.probes[remedy.fixes].title, "; ".join(lines),
                        partial(_rehearse, changes), remedy=True,
                    )
                )  # fmt: skip
            elif reason:
                refused.append((remedy.name, reason))
    finally:
        if twin:
            twin.close()
    return found, refused


def _rehearse(changes: tuple[Change, ...]) -> None:
    for change in changes:
        change.rehearse(Host())
