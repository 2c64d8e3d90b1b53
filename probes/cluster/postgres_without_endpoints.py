"""Postgres has no ready pod behind its Service.

## What it checks
Each Postgres Service has a ready endpoint; if not, whether its workload is scaled to 0, its selector matches no pod,
or its pods are not ready.

## Why it matters
kube-proxy refuses connections to a Service without endpoints. Repairing the network does not bring Postgres back.

## When it is not a fault
If its namespace has no other pod it is a warning: nothing there uses it. Pods that were started less than a minute ago,
and that nothing is known to keep from getting ready, are starting.

## By hand
`kubectl get endpointslices,pods -l app=postgres`; `kubectl scale deployment postgres --replicas=1`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, Severity, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.endpoints import endpoints_by_hand, no_endpoints, starting
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.workloads import Pods, Workloads
from netdoctor.facts.gateways.postgres_servers import PostgresServers
from netdoctor.model import Confidence


@probe(area=Area.POSTGRES, healthy="Postgres has a ready pod", explains=("postgres-unreachable",))
def postgres_without_endpoints(
    servers: PostgresServers | CannotRead,
    services: Services,
    endpoints: EndpointSlices,
    workloads: Workloads,
    pods: Pods,
) -> Iterator[Finding]:
    """A Postgres Service without a ready endpoint."""
    wanted = services.postgres if isinstance(servers, CannotRead) else servers.services(services)
    modules = _of_modules(servers)
    if not wanted:
        raise NotApplicable("the cluster has no Service for Postgres")
    lacking = [service for service in wanted if not endpoints.ready(service)]
    young = {str(service): reason for service in lacking if (reason := starting("Postgres", service, pods))}
    for service in lacking:
        if str(service) not in young:
            why, evidence = no_endpoints(service, endpoints, workloads, pods)
            yield Finding(
                f"Service {service} has no ready endpoint: {why}",
                evidence,
                Subject(namespace=service.namespace, service=service.name),
                _severity(service, modules, pods),
                confidence=Confidence.CONFIRMED,
                by_hand=endpoints_by_hand(service, workloads, pods),
            )
    if young and len(young) == len(lacking):
        raise next(iter(young.values()))


def _of_modules(servers: PostgresServers | CannotRead) -> set[str]:
    """The Services that modules use."""
    return set() if isinstance(servers, CannotRead) else {server.name for server in servers.items if server.modules}


def _severity(service: Service, modules: set[str], pods: Pods) -> Severity:
    """A warning where neither a module nor a pod of its namespace may use it."""
    neighbours = [pod for pod in pods.items if pod.namespace == service.namespace and not pod.is_ours]
    return Severity.ERROR if neighbours or str(service) in modules else Severity.WARNING
