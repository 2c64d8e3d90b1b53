"""The node does not reach its own pods.

## What it checks
A TCP connection from the node to each tested pod, as the kubelet's probes make them. A refusal is an answer: the packet
arrived.

## Why it matters
The kubelet asks each pod over the network whether it is alive and ready. Where its packets are lost, pods that work are
restarted or taken out of their Services. Metrics and admission webhooks are called from the node too.

## When it is not a fault
A NetworkPolicy does not apply to connections from the pod's own node, so none explains this.

## By hand
`nc -vz POD_ADDRESS PORT` on the node; `iptables -S OUTPUT` shows what is filtered on the way out.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.service_reach import FROM_NODE, ServiceReach
from netdoctor.model import Confidence


@probe(area=Area.PODS, healthy="the node reaches its pods", symptom=True)
def node_to_pod_blocked(reach: ServiceReach, this: ThisNode) -> Iterator[Finding]:
    """Connections from the node to pods that were not answered."""
    flows = reach.of(FROM_NODE)
    if not flows:
        raise CannotRead("pods", "there is no pod to ask")
    failed = [flow for flow in flows if not flow.reply.arrived]
    if failed:
        yield Finding(
            f"{len(failed)} of {len(flows)} pods do not answer their own node, whose kubelet asks them too",
            tuple(flow.evidence("an answer") for flow in failed[:3]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
