"""The rule that ended the packet is away, or the policy that did accepts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.system.rule_removal import without_rule
from netdoctor.twin.trace_events import handles_of
from netdoctor.twin.twin import NODE
from netdoctor.twin.wire import nft_loading

NAME = "accept-packets"


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for the rule or policy at which the walk stops."""
    stop = situation.walk.stop
    if stop is None or stop.where != NODE or situation.without_endpoints:
        return
    place = (stop.family, stop.table, stop.chain)
    where = " ".join(place)
    cause = "firewalld-rejects-pods" if stop.table == "firewalld" else "packets-dropped-by-rule"
    handles = handles_of(situation.state.node, place)
    by_hand = without_rule(*place, stop.handle)
    if not stop.handle:
        make = partial(nft_loading.accept_by_policy, *place)
        says, change = f"the policy of {where} drops", f"the policy of {where} accepts"
        yield Intervention(NAME, cause, says, change, make, by_hand=by_hand)
    elif stop.handle in handles:  # else it is another intervention's rule
        make = partial(nft_loading.neutralize_rule, *place, handles.index(stop.handle))
        change = f"without the rule {stop.handle} of {where} ({stop.text})"
        yield Intervention(NAME, cause, f"a rule of {where} drops: {stop.text}", change, make, by_hand=by_hand)
