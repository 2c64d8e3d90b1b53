"""A port that a module wants on the host is taken.

## What it checks
For modules with hostNetwork: who listens on their container port on this node, and whether two modules want the same
one. A pod of the module itself is nobody else.

## Why it matters
LiteLLM ends with `address already in use`; when it is port 4000 it takes a random one instead and never becomes
ready.

## By hand
`ss -ltnp 'sport = :4000'`.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.gateways import Modules, needed
from netdoctor.facts.gateways.listeners import Listeners
from netdoctor.system.pod_cgroup import pod_uid


@probe()
def host_port_taken(
    modules: Modules | CannotRead, listeners: Listeners | CannotRead, pods: Pods | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Listeners on the modules' ports, and modules that want the same port."""
    wanted = [g for g in needed(modules).gateways if g.host_network]
    if not wanted:
        raise NotApplicable("no module uses the network of its host")
    if isinstance(listeners, CannotRead):
        raise listeners
    if isinstance(pods, CannotRead):
        raise pods
    for gateway in wanted:
        own = {
            p.uid for p in pods.items
            if p.namespace == gateway.namespace and gateway.labels and gateway.labels.items() <= p.labels.items()
        }  # fmt: skip
        holders = [
            f"process {x.process or '(unknown)'} {x.pid}" for x in listeners.items
            if x.port == gateway.container_port and pod_uid(x.cgroup) not in own
        ]  # fmt: skip
        holders += [
            f"module {g.name}" for g in wanted if g is not gateway and g.container_port == gateway.container_port
        ]
        if holders:
            yield Finding(
                f"port {gateway.container_port} of the host, for module {gateway.name}, is taken by {holders[0]}",
                (Evidence(f"port {gateway.container_port} of the host", holders[0], "free"),),
                Subject(node=this.name, namespace=gateway.namespace),
            )
