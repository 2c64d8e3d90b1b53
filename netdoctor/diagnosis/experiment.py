"""Experiments: what failed is asked on copies of the node, and what each remedy would change is tried there.

A stage between what was read and what is judged. `Facts` has it made in a thread of its own, as soon as the facts that
it asks for are there, so that it goes on beside the probes' other questions.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from netdoctor.changes import as_data
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.wanted_changes import changes_of
from netdoctor.errors import CannotRead
from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.experiments.search import Found, Search
from netdoctor.experiments.work_limit import RECORDED_OBJECTS, WALL_SECONDS, is_rationed, work_limit
from netdoctor.facts import Facts, parameters
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.traffic.experiments import Experiments, Trial, Tried
from netdoctor.facts.traffic.failed_flows import TEST_POD, FailedFlow, FailedFlows, refused_by_routing
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.model import Change, Remedy
from netdoctor.shell import command
from netdoctor.system.host import Host
from netdoctor.system.traffic import Reply, in_namespace
from netdoctor.twin.asked import Asked
from netdoctor.twin.build import Settings, build
from netdoctor.twin.state import State
from netdoctor.twin.twin import NODE, Twin
from netdoctor.twin.walk import Walk

LATER = ("file",)  # kinds of change that do nothing before the next boot
LONGEST = WALL_SECONDS + 30  # seconds: the search's own limit, and what it takes to end
DNS_PORT = 53  # for which `netdoctor trace` takes UDP where nothing is said
AGAIN = 0.5  # seconds for a flow that is asked on the node once more: an error comes at once


def experiment(
    catalogue: Catalogue,
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
        return no_experiments()
    if isinstance(network, CannotRead):
        raise network
    by_name = {flow.name: flow for flow in failed.items}
    asked, lacking = [], []
    for flow in failed.items:
        try:
            asked.append(flow.in_copies(network.state, cluster))
        except CannotRead as why:
            lacking.append((flow.name, why.reason))
    if is_rationed() and len(network.state.node.nftables) > RECORDED_OBJECTS:
        raise CannotRead("twin", f"{len(network.state.node.nftables)} rules and sets are too many for its 10 s")
    settings: Settings = {}  # the same in every copy of this state
    limit = work_limit()

    def situation(flow: Asked, way: Walk, legacy: str) -> Situation:
        return Situation(network.state, flow.flow, way, legacy, cluster)

    def refusal(twin: Twin, flow: Asked) -> str:
        return twin.run(partial(refused_by_routing, Host(), by_name[flow.name], cni.bridge))

    def again(flow: Asked) -> Reply:
        here = by_name[flow.name]
        return in_namespace(here.netns, here.ask(AGAIN)).result()

    search = Search(network.state, situation, refusal, limit, again if host.live else None, settings=settings)
    with ThreadPoolExecutor(1) as beside:  # plans ask copies too, and wait; the first copy is asked meanwhile
        remedies = beside.submit(remedies_to_try, catalogue, facts, network.state, host, settings)
        found = search.run(asked, lambda: remedies.result()[0]) if asked else []
        _, refused = remedies.result()
    deleted = _addresses_of_test_pod(facts)
    return Experiments(
        tuple(_trial(each, by_name[each.asked.name], deleted) for each in found),
        network.state.node.programs,
        search.copies,
        round(time.monotonic() - begin, 2),
        search.cut_short,
        tuple(sorted(search.causes)),
        tuple([*lacking, *refused, *search.refused.items()]),
    )


def no_experiments() -> Experiments:
    """What was tried where nothing is to be tried."""
    return Experiments((), (), 0, 0.0)


def _addresses_of_test_pod(facts: Facts) -> tuple[str, ...]:
    """The addresses of the test pod, which nobody has any more once the report is read."""
    pod = facts.known().get(NewPod)
    return (pod.address, *pod.addresses) if isinstance(pod, NewPod) else ()


def _trial(found: Found, flow: FailedFlow, deleted: tuple[str, ...]) -> Trial:
    return Trial(
        flow.name, flow.kind, str(found.asked.reply), str(found.reply), found.alike,
        found.asked.passes(found.reply), found.dropped, found.legacy, found.route,
        tuple(tuple(_tried(each) for each in cure) for cure in found.cures), found.necessary, _packet(flow, deleted),
    )  # fmt: skip


def _packet(flow: FailedFlow, deleted: tuple[str, ...]) -> str:
    """The arguments of `netdoctor trace` that follow this flow's packet; "" from or to a test pod."""
    if flow.name.startswith(f"{TEST_POD} ") or flow.destination in deleted:
        return ""
    source = "host" if flow.pod == NODE else flow.pod
    by_default = "udp" if flow.port == DNS_PORT else "tcp"
    option = "" if flow.protocol == by_default else f" --{flow.protocol}"
    return "".join(command(f"{{}} {{}} {{}}{option}", source, flow.destination, flow.port))


def _tried(candidate: Intervention) -> Tried:
    return Tried(
        candidate.name, candidate.cause, candidate.says, candidate.change, candidate.remedy, candidate.by_hand,
        tuple(map(as_data, candidate.changes)),
    )  # fmt: skip


def remedies_to_try(
    catalogue: Catalogue, facts: Facts, state: State, host: Host, settings: Settings
) -> tuple[list[Intervention], list[tuple[str, str]]]:
    """What each remedy would change, to be made in a copy; and why others cannot be tried.

    On a recording the plan is made in a copy as well: what it reads there is the recorded node's, not this machine's.
    """
    found, refused = [], []
    twin = None if host.live else build(state, settings)
    try:
        for remedy in filter(_is_not_of_experiments, catalogue.remedies.values()):
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


def _is_not_of_experiments(remedy: Remedy) -> bool:
    """Whether a remedy goes by other facts: one that makes what the experiments find would wait for them in vain."""
    return Experiments not in [wanted.kind for wanted in parameters(remedy.plan, skip=1)]


def _rehearse(changes: tuple[Change, ...]) -> None:
    for change in changes:
        change.rehearse(Host())
