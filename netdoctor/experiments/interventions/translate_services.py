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
    """One for the flow's ClusterIP, where its packet came to no rule that translates, or to what is no endpoint."""
    flow, services = situation.flow, dict(situation.cluster.services)
    ends = [x for x in services.get(flow.destination, ()) if x[1] == flow.protocol and x[3] == flow.port]
    seen = [s.packet for s in situation.walk.steps if s.direction == REQUEST]
    targets = {f"{p.destination}:{p.destination_port}" for p in seen if p.destination != flow.destination}
    astray = sorted(targets - {f"{address}:{port}" for address, _, port, _ in ends})
    known = ends and not situation.without_endpoints
    if not known or (targets and not astray) or passes_translation(situation):
        return
    rules = tuple((flow.destination, flow.protocol, flow.port, address, port) for address, _, port, _ in ends)
    asked = f"{flow.destination}:{flow.port}"
    says = f"rules lead {asked} to {astray[0]}, which is no endpoint of it" if astray else f"no rule translates {asked}"
    yield Intervention(
        "translate-services", UNNAMED if astray else "kube-proxy-rules-missing", says,
        f"{asked} is translated to {ends[0][0]}:{ends[0][2]}", partial(_load, rules, BEFORE_OTHERS if astray else 0),
    )  # fmt: skip


def _load(rules: tuple[tuple[str, str, int, str, int], ...], earlier: int) -> None:
    translate(Host(), rules, earlier)
