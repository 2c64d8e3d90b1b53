"""What a rehearsal asks because of what fails on the node: the flows themselves, and the pods to ask from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.vantage import NEW, VantagePoints
from netdoctor.twin.asked import Asked
from netdoctor.twin.state import State
from netdoctor.twin.twin import Flow


def failed_flows(facts: Facts, state: State, cluster: ClusterAddresses) -> list[Asked]:
    """The flows that fail on the node, but for those whose ends are in no copy. Raises CannotRead."""
    asked: list[Asked] = []
    for failed in facts.get(FailedFlows).items:
        with suppress(CannotRead):
            asked.append(failed.in_copies(state, cluster))
    return asked


def asking(facts: Facts, state: State, flows: Iterable[Flow]) -> list[str]:
    """The pods to ask from, those of failed flows first. No test pod: it goes, and with it what firewalld let pass."""
    points, new = facts.known().get(VantagePoints), set[str]()
    if isinstance(points, VantagePoints):
        new = {f"{point.namespace}/{point.pod}" for point in points.points if point.kind == NEW}
    others = sorted((pod.name for pod in state.pods), key=lambda name: name.startswith("kube-system/"))
    return [name for name in (*(flow.source for flow in flows), *others) if name not in new]
