"""The agent of the pod network does not run on this node.

## What it checks
The pod of the network's DaemonSet on this node (calico-node, kube-flannel-ds, cilium and their like): whether one of
its containers keeps ending, with which exit status, and what its log says last.

## Why it matters
Running pods often keep their connections. New ones get no network, and routes to other nodes are no longer kept up to
date.

## When it is not a fault
A pod of that kind that is being started, or replaced, has not ended yet. Where new pods still get their network, it is
a warning.

## By hand
`kubectl -n NAMESPACE logs POD --all-containers --previous`, with the pod's namespace and name.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.last_ends import AGENTS, LastEnds
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.model import Confidence, Severity
from netdoctor.shell import command


@probe(
    area=Area.PODS,
    healthy="the network's agent runs",
    explains=("cni-agent-missing", "new-pod-without-network"),
)
def network_agent_not_running(ends: LastEnds, new_pod: NewPod | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """An agent that keeps ending."""
    for end in ends.of(*AGENTS.values()):
        yield Finding(
            f"the agent of {end.program} does not run on this node: container {end.container} of pod {end.name} "
            f"{end.in_words}",
            (end.evidence(),),
            Subject(node=this.name),
            severity=Severity.WARNING if isinstance(new_pod, NewPod) else Severity.ERROR,
            confidence=Confidence.CONFIRMED,
            by_hand=command(
                "kubectl -n {} logs pod/{} --container={} --previous", end.namespace, end.pod, end.container
            ),
        )
