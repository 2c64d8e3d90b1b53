"""A rule keeps NodePorts or hostPorts from the network of the uplink.

## What it checks
NodePorts and hostPorts that answer on the node itself, two of each at most, whose pods are all on this node: a
neighbour in the network of the uplink asks for them in a copy of the node. Where a rule drops what it sends, the trace
names it. No copy is made where no rule drops anything.

## Why it matters
From the node and from pods everything answers, so the Service looks right; its users are outside. Opening the port in
a firewall's input rules does not help: kube-proxy and the CNI translate before, and the packets are forwarded.

## When it is not a fault
A firewall may keep strangers out on purpose, and let in others than the neighbour that is asked as. So it is always a
warning.

## By hand
`netdoctor trace outside NODE_ADDRESS PORT` shows the packet's way and the rule. Accept the port or the networks that
need it before that rule.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.outside_reach import LostOutside, OutsideReach
from netdoctor.facts.traffic.service_reach import ServiceReach
from netdoctor.model import Confidence
from netdoctor.shell import command


@probe(area=Area.SERVICES, healthy="no rule keeps NodePorts and hostPorts from the uplink's network")
def ports_closed_to_outside(outside: OutsideReach, reach: ServiceReach, this: ThisNode) -> Iterator[Finding]:
    """The ports that answer here and not a neighbour, by the rule that drops them."""
    if outside.why_not:
        raise NotApplicable(outside.why_not)
    by_rule: dict[str, list[LostOutside]] = {}
    for lost in outside.lost:
        if _answers_here(lost, reach):
            by_rule.setdefault(str(lost.dropped), []).append(lost)
    for rule, several in by_rule.items():
        yield _finding(rule, several, this)


def _answers_here(lost: LostOutside, reach: ServiceReach) -> bool:
    """Whether the node itself is answered there: what fails on the node has other probes."""
    own = [flow for flow in reach.of(lost.kind) if (flow.address, flow.port) == (lost.address, lost.port)]
    return bool(own) and all(flow.reply.answered for flow in own)


def _finding(rule: str, several: list[LostOutside], this: ThisNode) -> Finding:
    names = ", ".join(dict.fromkeys(f"{lost.kind} {lost.port} of {lost.target}" for lost in several))
    first = several[0]
    text = f" ({first.dropped.text})" if first.dropped.text else ""
    evidence = [Evidence(f"copy of the node, {lost.source} -> {lost.address}:{lost.port}", str(lost.reply), "connected",
                         Values(address=lost.address, port=lost.port, protocol="tcp", answer=str(lost.reply.answer)))
                for lost in several[:3]]  # fmt: skip
    return Finding(
        f"{names}: answered on this node, and dropped from outside by {rule}{text}",
        tuple(evidence),
        Subject(node=this.name),
        Severity.WARNING,
        Confidence.CONFIRMED,
        by_hand=command("sudo netdoctor trace outside {} {}", first.address, first.port),
    )
