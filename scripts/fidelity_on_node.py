"""Run on a lab's node: every flow that `check` asks, on the node and in its twin, and the cures made real.

Prints one JSON object. With the argument `cure` the smallest sets of changes that the search found are made on the node
itself, one after the other, and the flow is asked again: for nodes that are thrown away afterwards.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import closing
from netdoctor.diagnosis.conclude import verified
from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.runner import run
from netdoctor.diagnosis.wanted_changes import changes_of
from netdoctor.errors import CannotRead, NetdoctorError
from netdoctor.experiments.interventions import Situation, proposed
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.gateways.scope import Scope
from netdoctor.facts.traffic.experiments import Experiments, Trial
from netdoctor.facts.traffic.failed_flows import FailedFlow, FailedFlows
from netdoctor.facts.traffic.names import OUTSIDE_NAME, ClusterDns, UpstreamAnswers
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.facts.traffic.reach import Reach
from netdoctor.facts.traffic.vantage import HOST, VantagePoint, VantagePoints
from netdoctor.model import Severity
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer, Reply, in_namespace
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.build import build
from netdoctor.twin.capture import capture
from netdoctor.twin.state import State
from netdoctor.twin.tracer import walk
from netdoctor.twin.twin import NAME, Flow, alike, question

RECOVERY = 8.0  # seconds in which a node that was cured has to be well


def flows(facts: Facts) -> Iterator[tuple[str, VantagePoint, str, str, int, Reply, str]]:
    """Name, vantage point, destination, protocol, port, reply and DNS name of every flow that was asked."""
    known = facts.known()
    points = known[VantagePoints]
    assert isinstance(points, VantagePoints)
    by_name = {point.name: point for point in points.points}
    if isinstance(reach := known.get(Reach), Reach):
        for flow in reach.flows:
            yield str(flow), by_name[flow.vantage], flow.address, "tcp", flow.port, flow.reply, NAME
    if isinstance(answers := known.get(UpstreamAnswers), UpstreamAnswers):
        alive = {(x.upstream, x.transport) for x in answers.lookups if x.reply.answered}
        for x in answers.lookups:
            if (x.upstream, x.transport) in alive or x.reply.answer is not Answer.TIMEOUT:
                yield str(x), by_name[x.vantage], x.upstream.address, x.transport, x.upstream.port, x.reply, NAME
    if isinstance(names := known.get(ClusterDns), ClusterDns):
        for y in names.lookups:
            if y.kind != OUTSIDE_NAME:  # that is CoreDNS's own question
                yield str(y), by_name[y.vantage], y.server, y.transport, 53, y.reply, y.name
    if isinstance(postgres := known.get(Postgres), Postgres):
        for step in postgres.of(TCP):
            if step.reply and step.vantage in by_name:
                yield (
                    f"{step.vantage} -> {step.service}",
                    by_name[step.vantage],
                    step.address,
                    "tcp",
                    step.port,
                    step.reply,
                    NAME,
                )


def compare(facts: Facts, network: NodeNetwork) -> tuple[list[dict[str, object]], list[float]]:
    """Each flow on the node and in the twin; seconds to capture, to build, and for one flow."""
    state, cluster = network.state, facts.get(ClusterAddresses)
    begin = time.monotonic()
    twin = build(state)
    built = time.monotonic() - begin
    rows: list[dict[str, object]] = []
    asked: list[tuple[str, Flow, Reply]] = []
    for name, point, destination, protocol, port, reply, dns in flows(facts):
        source = "node" if point.kind == HOST else f"{point.namespace}/{point.pod}"
        try:
            copied = flow_of(source, destination, protocol, port, state, cluster)
            asked.append((name, replace(copied, name=dns), reply))
        except CannotRead as why:
            rows.append({"flow": name, "node": str(reply), "twin": f"not in it: {why.reason}", "alike": None})
    begin = time.monotonic()
    if asked:
        twin.begin(asked[0][1])
    one = time.monotonic() - begin
    again = {
        name: (point.netns, question(destination, protocol, port, 1.5, "", dns))
        for name, point, destination, protocol, port, _, dns in flows(facts)
    }
    replies = twin.ask_all([flow for _, flow, _ in asked], 0.4)
    twin.close()
    begin = time.monotonic()
    fresh = captured(facts, state)
    seconds = [time.monotonic() - begin, built, one]
    differs = not all(alike(reply, there) for (_, _, reply), there in zip(asked, replies, strict=True))
    again_there = build(fresh) if differs else None
    for (name, flow, reply), first in zip(asked, replies, strict=True):
        now, there = reply, first
        if again_there and not alike(now, there) and flow.source in fresh.by_name:
            time.sleep(1.1)  # errors are rationed, here and there, and the node may have moved on
            now = in_namespace(*again[name]).result()
            there = again_there.ask(flow)
        rows.append({"flow": name, "node": str(now), "twin": str(there), "alike": alike(now, there)})
    if again_there:
        again_there.close()
    return rows, seconds


def captured(facts: Facts, earlier: State) -> State:
    """The node's network as it is now, with the same pods."""
    points = {f"{point.namespace}/{point.pod}": point for point in facts.get(VantagePoints).pods}
    return capture({pod.name: (points[pod.name].netns, pod.address) for pod in earlier.pods if pod.name in points})


def path_of(facts: Facts, pod: str) -> str:
    """The path to a pod's namespace, "" for one that is gone."""
    points = facts.get(VantagePoints)
    found = [p.netns for p in points.pods if f"{p.namespace}/{p.pod}" == pod and p.kind != "test pod"]
    return found[0] if found else ""


def cure(facts: Facts, experiments: Experiments) -> list[dict[str, object]]:
    """Make the smallest set of each flow real, and ask the flow again."""
    failed = {flow.name: flow for flow in facts.get(FailedFlows).items}
    gone = next((p.address for p in facts.get(VantagePoints).points if p.kind == "test pod"), "")
    rows: list[dict[str, object]] = []
    made: set[tuple[str, str]] = set()
    for trial in experiments.trials:
        if not trial.cures or "test pod" in trial.flow or failed[trial.flow].destination == gone:
            continue
        smallest = min(trial.cures, key=len)
        wanted = {(tried.name, tried.change) for tried in smallest}
        if made and not wanted <= made:
            continue  # another set on the same node would prove neither
        if not made:
            trouble = make(facts, trial, failed[trial.flow], wanted)
            if trouble:
                return [{"flow": trial.flow, "changes": [t.change for t in smallest], "cured": None, "why": trouble}]
            made = wanted
            time.sleep(1)
        reply, cured = ask(failed[trial.flow])
        rows.append({"flow": trial.flow, "changes": [t.change for t in smallest], "cured": cured, "why": str(reply)})
    return rows


def ask(flow: FailedFlow) -> tuple[Reply, bool]:
    """The flow on the node again, until it passes: CoreDNS, and who was silent before, may need some seconds."""
    end = time.monotonic() + RECOVERY
    while True:
        reply = in_namespace(flow.netns, flow.ask(2.5)).result()
        passes = reply.answered if flow.reply.arrived else reply.arrived
        if passes or time.monotonic() > end:
            return reply, passes
        time.sleep(0.5)


def make(facts: Facts, trial: Trial, flow: FailedFlow, wanted: set[tuple[str, str]]) -> str:
    """Make these changes on the node itself; why that cannot be done, or ""."""
    catalogue = Catalogue.load()
    left = set(wanted)
    for remedy in catalogue.remedies.values():
        for name, change in list(left):
            if name != remedy.name:
                continue
            changes, reason = changes_of(remedy, (), facts)
            if not changes:
                return reason
            try:
                for each in changes:
                    each.apply(Host())
            except NetdoctorError as error:
                return str(error)
            left.discard((name, change))
    if not left:
        return ""
    state, cluster = facts.get(NodeNetwork).state, facts.get(ClusterAddresses)
    there = flow_of(flow.pod, flow.destination, flow.protocol, flow.port, state, cluster)
    found: dict[tuple[str, str], object] = {}
    twin = build(state)
    try:  # the walk may have to be made again behind the first obstacle
        for _ in range(4):
            for candidate in proposed(Situation(state, there, walk(twin, there), trial.legacy, cluster)):
                if candidate.key in left and candidate.key not in found:
                    found[candidate.key] = candidate
                    twin.run(candidate.make, candidate.where)
                    place = "" if candidate.where == "node" else path_of(facts, candidate.where)
                    in_namespace(place, candidate.make).result()
    finally:
        twin.close()
    missing = left - found.keys()
    return f"not proposed again: {sorted(missing)}" if missing else ""


def main() -> None:
    """One object on standard output."""
    catalogue = Catalogue.load()
    facts = Facts(context=(Scope(False, whole_state=True),))
    begin = time.monotonic()
    with closing(facts):  # the test pod goes at its end
        results = run(catalogue, facts)
        seconds = time.monotonic() - begin
        experiments = facts.known().get(Experiments)
        tried = experiments if isinstance(experiments, Experiments) else None
        diagnoses = verified(catalogue, diagnose(catalogue, results), tried)
        network = facts.known().get(NodeNetwork)
        errors = [d for d in diagnoses if d.cause.severity is Severity.ERROR]
        result: dict[str, object] = {
            "causes": [d.cause.probe for d in errors],
            "confidence": [str(d.confidence) for d in errors],
            "seconds": seconds,
        }
        if isinstance(network, NodeNetwork):
            result["flows"], result["times"] = compare(facts, network)
        else:
            result["void"] = str(network)
    if tried:
        result["search"] = {"copies": tried.copies, "seconds": tried.seconds, "cut_short": tried.cut_short}
        result["trials"] = [
            {
                "flow": t.flow, "alike": t.alike, "passes": t.passes, "necessary": list(t.necessary),
                "cures": [[one.change for one in cure] for cure in t.cures],
            }
            for t in tried.trials
        ]  # fmt: skip
        if "cure" in sys.argv[1:]:
            result["cured"] = cure(facts, tried)
    result["peak_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(result))


main()
