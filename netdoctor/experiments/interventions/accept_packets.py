"""The rule that ended the packet is gone, or the policy that did accepts, or pods pass before either.

A rule that somebody wrote against something is removed in a copy alone. Where nobody did, what is tried is what may be
made on the node.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.experiments.pod_accepts import instead_of_policy_or_rule
from netdoctor.system.host import Host
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
    if stop.handle and stop.handle not in handles:
        return  # it is another intervention's rule
    says = f"a rule of {where} drops: {stop.text}" if stop.handle else f"the policy of {where} drops"
    if found := instead_of_policy_or_rule(situation.state, situation.cluster, stop):
        make = partial(found.change.rehearse, Host())
        yield Intervention(NAME, cause, says, found.says, make, by_hand=found.by_hand, changes=(found.change,))
        return
    by_hand = without_rule(*place, stop.handle)
    if not stop.handle:
        make, change = partial(nft_loading.accept_by_policy, *place), f"the policy of {where} accepts"
    else:
        make = partial(nft_loading.neutralize_rule, *place, handles.index(stop.handle))
        change = f"rule {stop.handle} of {where} ({stop.text}) is removed"
    yield Intervention(NAME, cause, says, change, make, by_hand=by_hand)
