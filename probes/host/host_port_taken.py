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
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.gateways.gateways import Gateway, Modules, needed
from netdoctor.facts.gateways.listeners import Listeners
from netdoctor.model import Confidence
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
        holders = _processes(gateway, listeners, pods) + _modules(gateway, wanted)
        if holders:
            yield Finding(
                f"port {gateway.container_port} of the host, for module {gateway.name}, is taken by {holders[0]}",
                (Evidence(f"port {gateway.container_port} of the host", holders[0], "free"),),
                Subject(node=this.name, namespace=gateway.namespace),
                confidence=Confidence.CONFIRMED,
            )


def _processes(gateway: Gateway, listeners: Listeners, pods: Pods) -> list[str]:
    """The processes at the module's port that are none of its own pods'."""
    own = {pod.uid for pod in pods.items if _is_its_own(pod, gateway)}
    at_port = [listener for listener in listeners.items if listener.port == gateway.container_port]
    others = [listener for listener in at_port if pod_uid(listener.cgroup) not in own]
    return [f"process {listener.process or '(unknown)'} {listener.pid}" for listener in others]


def _is_its_own(pod: Pod, gateway: Gateway) -> bool:
    if pod.namespace != gateway.namespace or not gateway.labels:
        return False
    return gateway.labels.items() <= pod.labels.items()


def _modules(gateway: Gateway, wanted: list[Gateway]) -> list[str]:
    """The other modules that want the same port."""
    others = [other for other in wanted if other is not gateway]
    return [f"module {other.name}" for other in others if other.container_port == gateway.container_port]
