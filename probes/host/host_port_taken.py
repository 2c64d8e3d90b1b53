"""A port that a module wants on the host is taken.

## What it checks
For modules with hostNetwork: which process listens on their container port on this node, and whether two modules want
the same one. A module's own pods do not count.

## Why it matters
LiteLLM ends with `address already in use`; when it is port 4000 it takes a random one instead and never becomes
ready.

## By hand
`ss -ltnp 'sport = :4000'`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.gateways.gateways import Gateway, Modules, needed
from netdoctor.facts.gateways.listeners import Listeners, ListeningProcess
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.system.pod_cgroup import pod_uid


@probe(
    area=Area.GATEWAYS,
    healthy="the ports of the host are free",
)
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
        processes = _processes(gateway, listeners, pods)
        holders = [_in_words(each) for each in processes] + _modules(gateway, wanted)
        if holders:
            yield Finding(
                f"port {gateway.container_port} of the host, for module {gateway.name}, is taken by {holders[0]}",
                (_holder(holders[0], gateway.container_port),),
                Subject(node=this.name, namespace=gateway.namespace),
                confidence=Confidence.CONFIRMED,
                by_hand=_by_hand(gateway.container_port, processes),
            )


def _holder(who: str, port: int) -> Evidence:
    return Evidence(f"port {port} of the host", who, "free", Values(port=port))


def _by_hand(port: int, processes: list[ListeningProcess]) -> tuple[str, ...]:
    """Show who listens there, and the unit that the first of them belongs to; nothing where it is another module."""
    if not processes:
        return ()
    return (
        *command("sudo ss -ltnp {}", f"sport = :{port}"),
        *(command("systemctl status {}", processes[0].pid) if processes[0].pid else ()),
    )


def _processes(gateway: Gateway, listeners: Listeners, pods: Pods) -> list[ListeningProcess]:
    """The processes at the module's port that do not belong to its own pods."""
    own = {pod.uid for pod in pods.items if _is_its_own(pod, gateway)}
    at_port = [listener for listener in listeners.items if listener.port == gateway.container_port]
    return [listener for listener in at_port if pod_uid(listener.cgroup) not in own]


def _in_words(listener: ListeningProcess) -> str:
    return f"process {listener.process or '(unknown)'} {listener.pid}"


def _is_its_own(pod: Pod, gateway: Gateway) -> bool:
    if pod.namespace != gateway.namespace or not gateway.labels:
        return False
    return gateway.labels.items() <= pod.labels.items()


def _modules(gateway: Gateway, wanted: list[Gateway]) -> list[str]:
    """The other modules that want the same port."""
    others = [other for other in wanted if other is not gateway]
    return [f"module {other.name}" for other in others if other.container_port == gateway.container_port]
