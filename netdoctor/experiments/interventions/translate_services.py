"""Each ClusterIP with a ready endpoint is translated, as kube-proxy would."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.changes.kube_proxy import translate
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.experiments.interventions.remove_translations import passes_translation
from netdoctor.system.host import Host
from netdoctor.twin.walk import REQUEST

BEFORE_OTHERS = 1  # by so much before the rules that lead astray


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for the flow's ClusterIP, where its packet came to no rule that translates, or not to an endpoint."""
    flow, ends = situation.flow, _endpoints(situation)
    if not ends or situation.without_endpoints:
        return
    targets = _targets(situation)
    astray = sorted(targets - {f"{address}:{port}" for address, _, port, _ in ends})
    if (targets and not astray) or passes_translation(situation):
        return
    rules = tuple((flow.destination, flow.protocol, flow.port, address, port) for address, _, port, _ in ends)
    asked = f"{flow.destination}:{flow.port}"
    change = f"{asked} is translated to {ends[0][0]}:{ends[0][2]}"
    if astray:
        cause, earlier = UNNAMED, BEFORE_OTHERS
        says = f"rules lead {asked} to {astray[0]}, which is not an endpoint of it"
    else:
        cause, earlier = "kube-proxy-rules-missing", 0
        says = f"no rule translates {asked}"
    yield Intervention("translate-services", cause, says, change, partial(_load, rules, earlier))


def _endpoints(situation: Situation) -> list[tuple[str, str, int, int]]:
    """The endpoints of the Service's port that the flow asks for."""
    flow, services = situation.flow, dict(situation.cluster.services)
    ends = []
    for end in services.get(flow.destination, ()):
        _, protocol, _, service_port = end
        if protocol == flow.protocol and service_port == flow.port:
            ends.append(end)
    return ends


def _targets(situation: Situation) -> set[str]:
    """Where the flow's question was sent instead of to the ClusterIP, address and port."""
    seen = [step.packet for step in situation.walk.steps if step.direction == REQUEST]
    others = [packet for packet in seen if packet.destination != situation.flow.destination]
    return {f"{packet.destination}:{packet.destination_port}" for packet in others}


def _load(rules: tuple[tuple[str, str, int, str, int], ...], earlier: int) -> None:
    translate(Host(), rules, earlier)
