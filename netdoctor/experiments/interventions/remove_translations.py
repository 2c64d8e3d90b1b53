"""A rule of somebody's that changes the packet, takes it out of tracking or past its translation, is away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.system.rule_removal import without_rule
from netdoctor.twin.trace_events import handles_of
from netdoctor.twin.twin import NODE
from netdoctor.twin.walk import ERROR_MESSAGE, REQUEST, TraceStep
from netdoctor.twin.wire import nft_loading

OWNERS = ("KUBE-", "CNI-", "FLANNEL", "cali-")
KUBE_PROXY = "kube-proxy"
# as iptables prints it, and as nft does; `ct status dnat` changes nothing
CHANGES = re.compile(
    r"-j (DNAT|SNAT|REDIRECT|NETMAP|TPROXY|NOTRACK|CT --notrack|TTL|HL|MARK|CONNMARK)\b"
    r"|\b(dnat|snat)( ip6?)?( prefix)? to\b|\bredirect\b|\bnotrack\b|\btproxy\b|\b(ttl|hoplimit|mark) set\b"
)
PAST = "sends pod traffic past its translation"
PASSES = re.compile(r"-j (ACCEPT|RETURN)$")  # in table nat: no rule after it translates


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each rule on the packet's way that changes it and is not the cluster's own."""
    for_service = situation.flow.destination in dict(situation.cluster.services)
    seen: set[tuple[str, str, str, int]] = set()
    for step in situation.walk.steps:
        place = (step.family, step.table, step.chain)
        handles = handles_of(situation.state.node, place)
        does = _done_by(step, for_service)
        if step.where != NODE or step.handle not in handles or (*place, step.handle) in seen or not does:
            continue
        seen.add((*place, step.handle))
        where = " ".join(place)
        yield Intervention(
            "remove-translations",
            UNNAMED,
            f"a rule of {where} {does}: {step.text}",
            f"rule {step.handle} of {where} ({step.text}) is removed",
            partial(nft_loading.neutralize_rule, *place, handles.index(step.handle)),
            by_hand=without_rule(*place, step.handle),
        )


def passes_translation(situation: Situation) -> bool:
    """Whether a rule takes the packet past the rules that would translate it."""
    for_service = situation.flow.destination in dict(situation.cluster.services)
    return any(step.where == NODE and _done_by(step, for_service) == PAST for step in situation.walk.steps)


def _done_by(step: TraceStep, for_service: bool) -> str:
    """What a rule does to the packet, in words; "" for nothing, or for the cluster's own."""
    if step.table == KUBE_PROXY or step.direction == ERROR_MESSAGE:
        return ""
    # kube-proxy itself writes neither into KUBE-SERVICES
    if for_service and step.direction == REQUEST and step.table == "nat" and PASSES.search(step.text):
        return "" if step.chain.startswith(("KUBE-POST", *OWNERS[1:])) else PAST
    return "changes pod traffic" if CHANGES.search(step.text) and not step.chain.startswith(OWNERS) else ""
