"""Pods do not reach other pods.

## What it checks
A TCP connection from each tested pod to the test pod and to older pods, by their own addresses. A refusal is an answer:
the packet arrived.

## Why it matters
Everything else depends on it: DNS, Services and databases are pods.

## By hand
`nsenter --net=/proc/PID/ns/net` into a pod's namespace, then `nc -vz ADDRESS PORT`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.reach import POD, Reach
from netdoctor.model import Confidence
from netdoctor.symptoms import SERVICES


@probe(area=Area.PODS, healthy="pods reach each other", symptom=True, explains=("cluster-ip-unreachable", *SERVICES))
def pod_to_pod_blocked(reach: Reach, this: ThisNode) -> Iterator[Finding]:
    """Connections between pods that were not answered."""
    flows = reach.of(POD)
    if not flows:
        raise CannotRead("pods", "there are no two pods to ask")
    failed = [f for f in flows if not f.reply.arrived]
    if failed:
        yield Finding(
            f"{len(failed)} of {len(flows)} connections between pods are not answered",
            tuple(f.evidence("an answer") for f in failed[:3]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
