"""Postgres has no ready pod behind its Service.

## What it checks
Each Postgres Service has a ready endpoint; if not, whether its workload is scaled to 0, its selector picks nobody, or
its pods are not ready.

## Why it matters
kube-proxy refuses connections to a Service without endpoints. No repair of the network brings Postgres back then.

## By hand
`kubectl get endpointslices,pods -l app=postgres`; `kubectl scale deployment postgres --replicas=1`.
"""

from collections.abc import Iterator

from netdoctor import Finding, NotApplicable, Subject, probe
from netdoctor.facts.cluster import EndpointSlices, Pods, Services, Workloads
from netdoctor.facts.endpoints import no_endpoints


@probe(explains=("postgres-unreachable",))
def postgres_without_endpoints(
    services: Services, endpoints: EndpointSlices, workloads: Workloads, pods: Pods
) -> Iterator[Finding]:
    """A Postgres Service without a ready endpoint."""
    if not services.postgres:
        raise NotApplicable("the cluster has no Service for Postgres")
    for service in services.postgres:
        if not endpoints.ready(service):
            why, evidence = no_endpoints(service, endpoints, workloads, pods)
            subject = Subject(namespace=service.namespace, service=service.name)
            yield Finding(f"Service {service} has no ready endpoint: {why}", evidence, subject)
