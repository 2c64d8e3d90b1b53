"""A setting, link, route or rule of the node loses pod traffic.

## What it checks
Unanswered flows of pods are repeated on a copy of the node: throw-away network namespaces with the same links,
addresses, routes, rules and settings. Where a flow fails there as on the node, changes are tried on fresh copies, one
by one; this probe names what must change for the packet to pass, where no other probe has a name for it.

## Why it matters
A reverse-path check, a port that has left the bridge, a forgotten routing rule: each is right on some node, so its
presence proves nothing. The proof is that the packet passes without it, and does not pass with everything else changed.

## When it is not a fault
Nothing is tried where every flow is answered.

## By hand
Change what is named, and check again; `netdoctor trace POD ADDRESS PORT` shows the packet's path before and after.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.experiments import Experiments, findings_of_cures, trials_of, with_no_other_cure
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.symptoms import POD_TRAFFIC


@probe(
    area=Area.NODE,
    healthy="no setting, link, route or rule loses pod traffic",
    explains=("packets-refused-by-routing", "coredns-upstream-dead", "image-not-obtainable", *POD_TRAFFIC),
)
def found_by_experiment(
    experiments: Experiments | CannotRead, failed: FailedFlows, this: ThisNode
) -> Iterator[Finding]:
    """What no other probe speaks for, in the smallest change that lets a flow pass."""
    trials = with_no_other_cure(trials_of(experiments, failed), NAME)
    yield from findings_of_cures(trials, NAME, this.name)


NAME = "found-by-experiment"
