"""Lead a Service to the port at which its pods listen.

## What it does
Sets `targetPort` of a Service's port to the number that the port itself has, where connections are refused because
nothing listens at the present one. It does so only if a program does listen at that number in the pod that was asked,
and every pod that the Service picks declares it: 53 of CoreDNS, 5432 of Postgres. A port of another protocol with the
same number and the same wrong target is set along with it: DNS has one for UDP and one for TCP.

Where the pods listen at any other number, which one is meant is a guess, and nothing is changed.

## What it costs
Nothing restarts.

## By hand
`kubectl -n NAMESPACE edit service/NAME`.

## Undo
Writes the `targetPort` that was there. If somebody has changed it since, or the order of the Service's ports, nothing
is changed.
"""

from collections.abc import Iterator
from dataclasses import replace

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.kubernetes_object import PatchObject
from netdoctor.facts.cluster.service_targets import declares, target_number, targets
from netdoctor.facts.cluster.services import Service, ServicePort, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.traffic.closed_endpoints import ClosedEndpoint, ClosedEndpoints
from netdoctor.model import Access
from netdoctor.system.host import Host

EVERY = ("0.0.0.0", "::")


@remedy(fixes="endpoint-port-closed", opens=(Access.POD_TO_SERVICE, Access.OUTSIDE_TO_NODE_PORT))
def correct_target_port(
    findings: tuple[Finding, ...],  # noqa: ARG001 - every such Service
    closed: ClosedEndpoints,
    services: Services,
    pods: Pods,
    this: ThisNode,
    host: Host,
) -> Iterator[Change]:
    """Each Service that leads to a closed port, where its pods listen at the Service's own."""
    done = set()
    for endpoint in closed.items:
        service = services.named(*endpoint.service.split("/", 1))
        if service is None or endpoint.service in done:
            continue
        done.add(endpoint.service)
        picked = tuple(pod for pod in pods.selected(service.namespace, service.selector) if not pod.leaving)
        wrong = _wrong_ports(service, endpoint, picked)
        corrected = replace(service, ports=tuple(_corrected(port) for _, port in wrong))
        yield PatchObject.planned(
            host,
            "Service",
            service.namespace,
            service.name,
            [(f"/spec/ports/{place}/targetPort", port.port) for place, port in wrong],
            beside=[each for place, port in wrong for each in _known_by(place, port)],
            translations=targets(corrected, picked, this.addresses),
        )


def _wrong_ports(service: Service, endpoint: ClosedEndpoint, picked: tuple[Pod, ...]) -> list[tuple[int, ServicePort]]:
    """Place and port of those that lead to the closed one, and have an open one of their own number."""
    asked = next((port for port in service.ports if str(port) == endpoint.service_port), None)
    if asked is None or asked.port == endpoint.port or not _is_open(endpoint, asked.port):
        raise NotApplicable(f"the pods of Service {service} do not listen at {endpoint.service_port} either")
    found = []
    for place, port in enumerate(service.ports):
        if port.port == asked.port and _is_wrong(port, endpoint, picked):
            found.append((place, port))
    if asked not in [port for _, port in found]:
        raise NotApplicable(f"not every pod of Service {service} declares {endpoint.service_port}")
    return found


def _is_wrong(port: ServicePort, endpoint: ClosedEndpoint, picked: tuple[Pod, ...]) -> bool:
    """Whether it leads to the closed port of each pod, of which there are some and all declare its own number."""
    if not picked:
        return False
    leads_there = all(target_number(port, pod) == endpoint.port for pod in picked)
    return leads_there and all(declares(pod, port.protocol, port.port) for pod in picked)


def _is_open(endpoint: ClosedEndpoint, number: int) -> bool:
    """Whether a program of the pod listens there for others; of a pod elsewhere: whether it declares the port."""
    if endpoint.listening is None:
        return number in endpoint.declared
    return any(port == number and address in (*EVERY, endpoint.address) for address, port in endpoint.listening)


def _corrected(port: ServicePort) -> ServicePort:
    return replace(port, target=str(port.port))


def _known_by(place: int, port: ServicePort) -> list[tuple[str, int | str]]:
    """What shows that it is the same port still: a list's places may change."""
    return [(f"/spec/ports/{place}/port", port.port), (f"/spec/ports/{place}/protocol", port.protocol)]
