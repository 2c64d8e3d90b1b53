"""Services of the cluster do not answer.

## What it checks
A TCP connection to the ClusterIPs of a few Services, two of each kind at most (ClusterIP or NodePort; endpoints on this
node or elsewhere), from the test pod and from an older pod. The API server, the cluster DNS and Postgres are asked by
other probes. Only Services whose ready endpoints are pods are asked.

## Why it matters
What is lost on the way to one endpoint, such as one on another node, is not seen where only DNS and Postgres are asked.

## When it is not a fault
A Service without a ready endpoint, one with `internalTrafficPolicy: Local` and no endpoint here, and one behind which a
NetworkPolicy restricts who may ask are left out. Where only refusals come back, the packets arrived: alone this is a
warning, since nobody here is known to need it.

## By hand
`nsenter --net=/proc/PID/ns/net nc -vz CLUSTER_IP PORT`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, Severity, Subject, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.reach import AskedFlow
from netdoctor.facts.traffic.service_reach import SERVICE, ServiceReach
from netdoctor.model import Confidence
from netdoctor.system.traffic import Answer


@probe(area=Area.SERVICES, healthy="Services answer", symptom=True)
def service_unreachable(reach: ServiceReach, this: ThisNode) -> Iterator[Finding]:
    """Connections to Services that were lost, and those that were refused."""
    flows = reach.of(SERVICE)
    if not flows:
        raise NotApplicable("there is no other Service with ready pods that a pod can ask")
    lost = [flow for flow in flows if not flow.reply.arrived]
    if lost:
        yield _finding(lost, len(flows), "answered", this, Severity.ERROR)
    refused = [flow for flow in flows if flow.reply.arrived and flow.reply.answer is not Answer.OK]
    if refused:
        yield _finding(refused, len(flows), "accepted", this, Severity.WARNING)


def _finding(failed: list[AskedFlow], asked: int, word: str, this: ThisNode, severity: Severity) -> Finding:
    names = ", ".join(dict.fromkeys(flow.target for flow in failed))
    return Finding(
        f"{len(failed)} of {asked} connections to Services are not {word} ({names})",
        tuple(flow.evidence("connected") for flow in failed[:3]),
        Subject(node=this.name),
        severity,
        Confidence.CONFIRMED,
    )
