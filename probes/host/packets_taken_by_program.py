"""A program or queue on an interface, or IPsec, drops pod traffic.

## What it checks
Flows of pods that are not answered on the node. A copy of the node has its tbf queues, its filters of classic BPF, and
its IPsec policies if none of them needs a key: if a flow fails in the copy too and passes once one of these is removed,
that one is named. What a copy does not have (eBPF, XDP, other queues, IPsec with keys) is named if a flow fails on the
node and passes in the copy.

## Why it matters
A tc filter or a BPF program drops or redirects before any rule of the packet filter sees the packet, a queue with too
small a burst drops after all of them, and an IPsec policy may block. Neither iptables nor nft nor a trace shows this.

## When it is not a fault
CNIs such as Cilium work with such programs; their presence is not a fault while packets are answered.

## By hand
`tc filter show dev INTERFACE ingress`, `tc filter show dev INTERFACE egress`, `tc -s qdisc show dev INTERFACE`,
`ip -d link show INTERFACE` (xdp), `ip xfrm policy`.
"""

import re
from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.experiments import Experiments, findings_of_cures, trials_of
from netdoctor.facts.traffic.failed_flows import HOST_TO_OUTSIDE, FailedFlows
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import POD_TRAFFIC

NAME = "packets-taken-by-program"
ON_INTERFACE = re.compile(r"(?P<name>.+) \((?P<kind>xdp|tc ingress|tc egress|qdisc \S+)\)")
SHOWN_BY = {
    "xdp": "ip -d link show dev {}",
    "tc ingress": "sudo tc filter show dev {} ingress",
    "tc egress": "sudo tc filter show dev {} egress",
}
QUEUE_SHOWN_BY = "sudo tc -s qdisc show dev {}"


@probe(area=Area.NODE, healthy="no tc, XDP or IPsec drops pod traffic", explains=POD_TRAFFIC)
def packets_taken_by_program(
    experiments: Experiments | CannotRead, failed: FailedFlows, this: ThisNode
) -> Iterator[Finding]:
    """Lost in a copy too until it is removed; or answered in the copy, and something is there that the copy lacks."""
    trials = trials_of(experiments, failed)
    yield from findings_of_cures(trials, NAME, this.name)
    lost = [trial for trial in trials if trial.passes and trial.kind != HOST_TO_OUTSIDE]
    if lost and not isinstance(experiments, CannotRead) and experiments.programs:
        where = ", ".join(experiments.programs)
        yield Finding(
            f"{where} drops pod traffic: in a copy of the node without it the same packets pass",
            (
                Evidence("tc filters and queues, XDP programs, IPsec policies", where, "none on the packet's way"),
                *(Evidence(f"copy of the node, {trial.flow}", trial.twin, trial.node) for trial in lost[:2]),
            ),
            Subject(node=this.name),
            confidence=Confidence.LIKELY,
            by_hand=tuple(line for program in experiments.programs[:4] for line in _by_hand(program)),
        )


def _by_hand(program: str) -> tuple[str, ...]:
    """What shows it; nothing there is certain to be unwanted, so nothing is removed."""
    if program.startswith("IPsec"):
        return command("sudo ip xfrm policy")
    found = ON_INTERFACE.fullmatch(program)
    return command(SHOWN_BY.get(found["kind"], QUEUE_SHOWN_BY), found["name"]) if found else ()
