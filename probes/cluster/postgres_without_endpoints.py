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
from netdoctor.facts.cluster.services import EndpointSlices, Services
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
    wanted, modules = services.postgres, frozenset[str]()
    if not isinstance(servers, CannotRead):
        wanted = servers.services(services)
        modules = frozenset(server.name for server in servers.items if server.modules)
    if not wanted:
        raise NotApplicable("the cluster has no Service for Postgres")
    lacking = [(service, starting("Postgres", service, pods)) for service in wanted if not endpoints.ready(service)]
    for service, young in lacking:
        if young is None:
            why, evidence = no_endpoints(service, endpoints, workloads, pods)
            subject = Subject(namespace=service.namespace, service=service.name)
            used = str(service) in modules or any(
                p.namespace == service.namespace and not p.is_ours for p in pods.items
            )
            severity = Severity.ERROR if used else Severity.WARNING
            said = f"Service {service} has no ready endpoint: {why}"
            by_hand = endpoints_by_hand(service, workloads, pods)
            yield Finding(said, evidence, subject, severity, confidence=Confidence.CONFIRMED, by_hand=by_hand)
    all_young = [young for _, young in lacking if young]
    if all_young and len(all_young) == len(lacking):
        raise all_young[0]
