"""A headless Service has no ready pod, so its name does not exist.

## What it checks
Headless Services (without a ClusterIP) that a variable of a pod on this node names, or that are the database of a
module: whether they have a ready endpoint.

## Why it matters
The DNS has an address for each ready pod of a headless Service, and for none the name does not exist: NXDOMAIN, as if
it had been mistyped. It looks like a fault of CoreDNS, and is one of the pods behind the Service.

## When it is not a fault
Where nothing is known to use the Service: many are for the members of a StatefulSet alone, or have no pods on purpose.
With `publishNotReadyAddresses` all endpoints count as ready.

## By hand
`kubectl get endpointslices -l kubernetes.io/service-name=NAME -o wide`; `kubectl describe pod POD` says what its
readiness waits for.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Severity, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.endpoints import endpoints_by_hand, no_endpoints
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods, Workloads
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.gateways.pod_environments import PodEnvironments
from netdoctor.model import Confidence
from netdoctor.symptoms import DATABASE_NAMES

EXTERNAL_NAME = "ExternalName"


@probe(area=Area.DNS, healthy="headless Services in use have a ready pod", explains=DATABASE_NAMES)
def headless_service_not_ready(
    environments: PodEnvironments,
    modules: Modules | CannotRead,
    services: Services,
    endpoints: EndpointSlices,
    workloads: Workloads,
    pods: Pods,
    this: ThisNode,
) -> Iterator[Finding]:
    """Headless Services that somebody names and that lead to nobody."""
    for service, user, matters in _named(environments, modules, services):
        if service.selector and not endpoints.ready(service):
            why, evidence = no_endpoints(service, endpoints, workloads, pods)
            yield Finding(
                f"Service {service} is headless without a ready endpoint: its name does not exist for {user}: {why}",
                evidence,
                Subject(this.name, service.namespace, service=service.name),
                Severity.ERROR if matters else Severity.WARNING,
                Confidence.CONFIRMED,
                by_hand=endpoints_by_hand(service, workloads, pods),
            )


def _named(
    environments: PodEnvironments, modules: Modules | CannotRead, services: Services
) -> Iterator[tuple[Service, str, bool]]:
    """The headless Services that somebody names, each once: who that is, and whether it needs them to work."""
    users: dict[str, list[tuple[str, bool]]] = {}
    of_modules = () if isinstance(modules, CannotRead) else _uses_of_modules(modules)
    for service_name, user, matters in (*of_modules, *_uses_of_pods(environments)):
        users.setdefault(service_name, []).append((user, matters))
    for service in services.headless:
        if service.kind != EXTERNAL_NAME and (found := users.get(str(service))):
            yield service, found[0][0], any(matters for _, matters in found)


def _uses_of_modules(modules: Modules) -> Iterator[tuple[str, str, bool]]:
    """The Service of each module's database, the module, and that it needs it."""
    for gateway in modules.gateways:
        if gateway.database:
            yield "/".join(gateway.database.service(gateway.namespace)), f"module {gateway.name}", True


def _uses_of_pods(environments: PodEnvironments) -> Iterator[tuple[str, str, bool]]:
    """The Service that each variable of a pod names, the pod, and whether it needs it to work."""
    for environment in environments.items:
        for named in environment.hosts:
            if named.host and not named.is_itself:
                name = "/".join(named.service(environment.namespace))
                yield name, f"pod {environment} ({named.variable})", named.is_database or environment.fails
