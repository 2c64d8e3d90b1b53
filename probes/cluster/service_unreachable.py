"""Services of the cluster do not answer.

## What it checks
A TCP connection to the ClusterIPs of a few Services, two of each kind at most (ClusterIP or NodePort; endpoints on this
node or elsewhere), from the test pod and from an older pod. The API server, the cluster DNS and Postgres are asked by
other probes. Only Services whose ready endpoints are pods are asked; where a Service and a pod have addresses of both
families, over IPv6 too.

A Service of UDP ports alone gets an empty datagram. Applications hardly answer one, so silence is not a finding; but
the kernel tracks what has passed every rule of this node, and with which endpoint: a datagram that is not tracked so,
while one of the same pod to the cluster's DNS is, was lost here.

## Why it matters
What is lost on the way to one endpoint, such as one on another node, is not seen where only DNS and Postgres are asked.

## When it is not a fault
A Service without a ready endpoint, one with `internalTrafficPolicy: Local` and no endpoint here, and one behind which a
NetworkPolicy restricts who may ask are left out. Where only refusals come back, the packets arrived: alone this is a
warning, since nobody here is known to need it.

## By hand
`nsenter --net=/proc/PID/ns/net nc -vz CLUSTER_IP PORT`; over UDP `nc -u`, and `conntrack -L -p udp -d CLUSTER_IP`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, Severity, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.reach import AskedFlow
from netdoctor.facts.traffic.service_reach import IPV6_SERVICE, SERVICE, ServiceReach
from netdoctor.facts.traffic.udp_services import UdpServices
from netdoctor.model import Confidence
from netdoctor.system.traffic import Answer


@probe(area=Area.SERVICES, healthy="Services answer", symptom=True)
def service_unreachable(reach: ServiceReach, over_udp: UdpServices | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """Connections and datagrams to Services that were lost, and those that were refused."""
    flows = (*reach.of(SERVICE), *reach.of(IPV6_SERVICE))
    datagrams = () if isinstance(over_udp, CannotRead) else over_udp.flows
    if not flows and not datagrams:
        raise NotApplicable("there is no other Service with ready pods that a pod can ask")
    yield from _findings(flows, "connections", "answered", this)
    yield from _findings(datagrams, "datagrams", "sent on to their pods", this)


def _findings(flows: tuple[AskedFlow, ...], what: str, word: str, this: ThisNode) -> Iterator[Finding]:
    lost = [flow for flow in flows if not flow.reply.arrived]
    if lost:
        yield _finding(lost, f"{len(lost)} of {len(flows)} {what} to Services are not {word}", this, Severity.ERROR)
    refused = [flow for flow in flows if flow.reply.arrived and flow.reply.answer is not Answer.OK]
    if refused:
        said = f"{len(refused)} of {len(flows)} {what} to Services are not accepted"
        yield _finding(refused, said, this, Severity.WARNING)


def _finding(failed: list[AskedFlow], said: str, this: ThisNode, severity: Severity) -> Finding:
    names = ", ".join(dict.fromkeys(flow.target for flow in failed))
    return Finding(
        f"{said} ({names})",
        tuple(flow.evidence("sent on" if flow.protocol == "udp" else "connected") for flow in failed[:3]),
        Subject(node=this.name),
        severity,
        Confidence.CONFIRMED,
    )
