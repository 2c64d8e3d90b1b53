"""NodePorts do not answer.

## What it checks
A TCP connection to a few NodePorts at the node's address, from the node itself and from the test pod, where all ready
endpoints are on this node.

## Why it matters
Clients outside reach the modules by NodePort where the cluster has no ingress. `ss -l` shows nothing of one:
kube-proxy's rules translate the packet before any socket sees it.

## When it is not a fault
A Service without a ready endpoint is not asked, nor one behind which a NetworkPolicy restricts who may ask.
A refusal is a fault only where the endpoint itself does not refuse.

## By hand
`nc -vz NODE_ADDRESS NODE_PORT` on the node; `kubectl get services -A | grep NodePort`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.service_reach import NODE_PORT, ServiceReach, ports_not_accepted


@probe(area=Area.SERVICES, healthy="NodePorts answer", symptom=True)
def node_port_unreachable(reach: ServiceReach, this: ThisNode) -> Iterator[Finding]:
    """Connections to NodePorts that were not accepted, unless their endpoints refuse them."""
    if not reach.of(NODE_PORT):
        raise NotApplicable("no Service has a NodePort and all of its ready pods on this node")
    yield from ports_not_accepted(reach, NODE_PORT, this.name)
