"""No CoreDNS is ready.

## What it checks
The cluster DNS Service has a ready endpoint; if not, whether its workload is scaled to 0, or what its pods wait for.

## Why it matters
Without an endpoint kube-proxy rejects every DNS query: no name resolves, neither Service names nor outside names.

## By hand
`kubectl -n kube-system get deployment coredns`; scale it up with
`kubectl -n kube-system scale deployment coredns --replicas=1`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, Subject, probe
from netdoctor.facts.cluster.endpoints import endpoints_by_hand, no_endpoints
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods, Workloads
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_DNS


@probe(area=Area.DNS, healthy="CoreDNS is ready", explains=CLUSTER_DNS)
def coredns_not_ready(
    services: Services, endpoints: EndpointSlices, workloads: Workloads, pods: Pods, this: ThisNode
) -> Iterator[Finding]:
    """The cluster DNS Service has no ready endpoint."""
    service = services.cluster_dns
    if service is None:
        raise NotApplicable("kube-system has no Service with port 53")
    if endpoints.ready(service):
        return
    why, evidence = no_endpoints(service, endpoints, workloads, pods)
    elsewhere = any(p.node != this.name for p in pods.selected(service.namespace, service.selector))
    subject = Subject() if elsewhere else Subject(node=this.name)
    said = f"the cluster DNS has no ready endpoint: {why}"
    by_hand = endpoints_by_hand(service, workloads, pods)
    yield Finding(said, evidence, subject, confidence=Confidence.CONFIRMED, by_hand=by_hand)
