"""Pods do not reach themselves by their Service.

## What it checks
A TCP connection from a few pods to the ClusterIP of a Service of which they are the only endpoint.

## Why it matters
A program that calls its own Service, by the name that everybody else uses, is led back to itself. The packet has to
leave the pod's port of the bridge by which it came in (hairpin), with the node's address as its source. Where one of
the two is missing, such calls time out: always with one pod, sometimes with several.

## When it is not a fault
A pod that a NetworkPolicy restricts is not asked.

## By hand
`bridge -d link` shows `hairpin on` for each port of the bridge; the CNI sets it where its configuration says
`"hairpinMode": true`. `iptables -t nat -S | grep KUBE-MARK-MASQ` shows a rule for each endpoint as a source.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, Subject, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.service_reach import ITSELF, ServiceReach
from netdoctor.model import Confidence


@probe(area=Area.SERVICES, healthy="pods reach themselves by their Service", symptom=True)
def pod_to_itself_blocked(reach: ServiceReach, this: ThisNode) -> Iterator[Finding]:
    """Connections of pods to their own Service that were not answered."""
    flows = reach.of(ITSELF)
    if not flows:
        raise NotApplicable("no pod that can be asked from is the only endpoint of a Service")
    failed = [flow for flow in flows if not flow.reply.arrived]
    if failed:
        names = ", ".join(dict.fromkeys(flow.target for flow in failed))
        yield Finding(
            f"{len(failed)} of {len(flows)} pods do not reach themselves by their own Service ({names})",
            tuple(flow.evidence("an answer") for flow in failed[:3]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
