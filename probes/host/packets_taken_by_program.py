"""A program or queue on an interface, or IPsec, drops pod traffic.

## What it checks
Flows of pods that are not answered on the node but pass in a copy with the same links, routes, rules and settings, when
an interface of the node has a traffic-control filter, a queue or an XDP program, or the node has IPsec policies: the
copy does not have these.

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
from netdoctor.facts.traffic.experiments import Experiments, trials_of
from netdoctor.facts.traffic.failed_flows import HOST_TO_OUTSIDE, FailedFlows
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import POD_TRAFFIC

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
    """Lost on the node, answered in its copy, and something is there that the copy lacks."""
    lost = [trial for trial in trials_of(experiments, failed) if trial.passes and trial.kind != HOST_TO_OUTSIDE]
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
