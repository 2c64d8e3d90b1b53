"""A NodePort of the modules belongs to another Service.

## What it checks
The NodePorts in the modules' manifests against those of all Services in the cluster, and against each other.

## Why it matters
The API server refuses the Service (`provided port is already allocated`), and a deployment stops half-way.

## When it is not a fault
A host process on a NodePort does not count: kube-proxy's rules come first, and the modules still answer.

## By hand
`kubectl get services -A | grep 30100`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Service, Services
from netdoctor.facts.gateways.gateways import Gateway, Modules, needed
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.system.kube_api import KubeApi


@probe(
    area=Area.GATEWAYS,
    healthy="the NodePorts are free",
)
def node_port_taken(
    modules: Modules | CannotRead, services: Services | CannotRead, api: KubeApi | CannotRead
) -> Iterator[Finding]:
    """NodePorts that somebody else has."""
    wanted = [g for g in needed(modules).gateways if g.node_port]
    if isinstance(api, CannotRead):
        raise api  # kube-proxy's rules name Services too, but not their NodePorts
    if isinstance(services, CannotRead):
        raise services
    for gateway in wanted:
        own = f"{gateway.namespace}/{gateway.service}"
        others = _services(gateway, own, services)
        holders = [f"Service {other}" for other in others] + _modules(gateway, wanted)
        if holders:
            yield Finding(
                f"NodePort {gateway.node_port} of module {gateway.name} belongs to {holders[0]}",
                (_holder(holders[0], gateway.node_port, own),),
                Subject(namespace=gateway.namespace, service=gateway.service),
                confidence=Confidence.CONFIRMED,
                by_hand=_by_hand(gateway.node_port, others),
            )


def _holder(who: str, port: int, own: str) -> Evidence:
    return Evidence(who, f"nodePort {port}", f"free for Service {own}", Values(port=port, service=own))


def _by_hand(port: int, others: list[Service]) -> tuple[str, ...]:
    """Give the first of the other Services another port; nothing where it is another module's manifest."""
    if not others:
        return ()
    first = others[0]
    return command("kubectl -n {} edit service/{}  # nodePort: {}", first.namespace, first.name, port)


def _services(gateway: Gateway, own: str, services: Services) -> list[Service]:
    """The Services with the module's NodePort, other than its `own`."""
    others = [service for service in services.items if str(service) != own]
    return [other for other in others if gateway.node_port in [port.node_port for port in other.ports]]


def _modules(gateway: Gateway, wanted: list[Gateway]) -> list[str]:
    """The other modules that want the same NodePort."""
    others = [other for other in wanted if other is not gateway]
    return [f"module {other.name}" for other in others if other.node_port == gateway.node_port]
