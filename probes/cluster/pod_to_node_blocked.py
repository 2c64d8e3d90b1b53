"""Pods do not reach their own node.

## What it checks
A TCP connection from each tested pod to the node's address, at the kubelet's port.

## Why it matters
Pods need the node for host-network services: metrics, webhooks, a database on the host. A node may block
pods from itself on purpose: alone this is a warning.

## By hand
`nsenter --net=/proc/PID/ns/net nc -vz NODE 10250`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Severity, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.reach import NODE, Reach
from netdoctor.model import Confidence


@probe(area=Area.PODS, healthy="pods reach their node", symptom=True)
def pod_to_node_blocked(reach: Reach, this: ThisNode) -> Iterator[Finding]:
    """Connections to the node that were not answered."""
    flows = reach.of(NODE)
    if not flows:
        raise CannotRead("pods", "there is no pod to ask")
    failed = [f for f in flows if not f.reply.arrived]
    if failed:
        yield Finding(
            f"{len(failed)} of {len(flows)} pods do not reach their node",
            tuple(f.evidence("an answer") for f in failed[:3]),
            Subject(node=this.name),
            severity=Severity.WARNING,
            confidence=Confidence.CONFIRMED,
        )
