"""Where a Service leads once it picks these pods, or its port has this target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netdoctor.facts.cluster.services import Service, ServicePort
from netdoctor.facts.cluster.workloads import Pod, Pods, Workloads
from netdoctor.model import NotApplicable

Target = tuple[str, str, int, str, int]  # own address, protocol and port; a pod's address and port


def target_number(port: ServicePort, pod: Pod) -> int:
    """The pod's port that a Service's port leads to: by its number, or by the name that the pod declares; 0: none."""
    if port.target in ("", "0"):
        return port.port
    if port.target.isdecimal():
        return int(port.target)
    named = (number for name, protocol, number in pod.ports if (name, protocol) == (port.target, port.protocol))
    return next(named, 0)


def declares(pod: Pod, protocol: str, number: int) -> bool:
    """Whether a container of the pod says that it listens at this port."""
    return any((protocol, number) == (known, port) for _, known, port in pod.ports)


def offers(service: Service, pod: Pod) -> bool:
    """Whether the pod declares every port that the Service leads to."""
    return all(declares(pod, port.protocol, target_number(port, pod)) for port in service.ports)


def insist_on_unfit_selector(service: Service, workloads: Workloads, pods: Pods) -> None:
    """Raise NotApplicable unless a Service without endpoints lacks them because its selector picks nothing at all."""
    if not service.selector or workloads.behind(service) or pods.selected(service.namespace, service.selector):
        raise NotApplicable(f"it is not the selector of Service {service} that fits nothing")


def running(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Those that traffic is sent to."""
    return tuple(pod for pod in pods if pod.ready and not pod.leaving and pod.addresses)


def targets(service: Service, pods: Iterable[Pod], node: Iterable[str]) -> Iterator[Target]:
    """What kube-proxy's rules do for a Service with these pods, at its ClusterIP and at the node's addresses."""
    node = tuple(node)
    for pod in running(pods):
        for port in service.ports:
            number = target_number(port, pod)
            if number:
                yield from _to_pod(service, port, pod, number, node)


def _to_pod(service: Service, port: ServicePort, pod: Pod, number: int, node: tuple[str, ...]) -> Iterator[Target]:
    own = [(service.cluster_ip, port.port)]
    own += [(address, port.node_port) for address in node if port.node_port]
    for address, at in own:
        for end in pod.addresses:
            if (":" in end) == (":" in address):
                yield address, port.protocol.lower(), at, end, number
