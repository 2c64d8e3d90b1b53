"""A hostPort does not lead to its pod.

## What it checks
A TCP connection to a few ports of the node that pods ask for by `hostPort`, from the node itself and from the test pod.

## Why it matters
The CNI's plugin `portmap` writes rules for each such pod, once, when it makes the pod. Where they are gone, or a rule
drops what they translate, the pod is ready and nobody reaches it.

## When it is not a fault
A pod whose program does not listen refuses connections at its own address too. A pod that a NetworkPolicy restricts,
or that is not ready, is not asked.

## By hand
`nc -vz NODE_ADDRESS HOST_PORT` on the node; `iptables -t nat -S CNI-HOSTPORT-DNAT` shows portmap's rules. The CNI
writes them again with a new pod: delete the pod.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.service_reach import HOST_PORT, ServiceReach, ports_not_accepted


@probe(area=Area.PODS, healthy="hostPorts lead to their pods", symptom=True)
def host_port_unreachable(reach: ServiceReach, this: ThisNode) -> Iterator[Finding]:
    """Connections to hostPorts that were not accepted, unless their pods refuse them."""
    if not reach.of(HOST_PORT):
        raise NotApplicable("no ready pod on this node has a hostPort")
    yield from ports_not_accepted(reach, HOST_PORT, this.name)
