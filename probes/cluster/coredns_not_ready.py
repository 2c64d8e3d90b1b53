"""No CoreDNS is ready.

## What it checks
The cluster DNS Service has a ready endpoint; if not, whether its workload is scaled to 0, what its pods wait for, or
how they ended last and what their log says.

## Why it matters
Without an endpoint kube-proxy rejects every DNS query: no name resolves, neither Service names nor outside names.

## When it is not a fault
A CoreDNS that was started less than a minute ago, and that nothing is known to keep from getting ready, is starting:
what it would explain is not tested.

## By hand
`kubectl -n kube-system get deployment coredns`; scale it up with
`kubectl -n kube-system scale deployment coredns --replicas=1`.
"""

from collections.abc import Iterable, Iterator

from netdoctor import Area, Finding, NotApplicable, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.endpoints import endpoints_by_hand, no_endpoints, starting
from netdoctor.facts.cluster.last_ends import COREDNS, LastEnd, LastEnds
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods, Workloads
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_DNS


@probe(area=Area.DNS, healthy="CoreDNS is ready", explains=CLUSTER_DNS)
def coredns_not_ready(
    services: Services,
    endpoints: EndpointSlices,
    workloads: Workloads,
    pods: Pods,
    ends: LastEnds | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """The cluster DNS Service has no ready endpoint."""
    service = services.cluster_dns
    if service is None:
        raise NotApplicable("kube-system has no Service with port 53")
    ended = () if isinstance(ends, CannotRead) else ends.of(COREDNS)
    chosen = [pod for pod in pods.selected(service.namespace, service.selector) if not pod.leaving]
    if endpoints.ready(service) and not _all_end(chosen, ended):
        return
    young = starting("CoreDNS", service, pods)
    if young:
        raise young
    why, evidence = no_endpoints(service, endpoints, workloads, pods)
    if ended:
        why = f"container {ended[0].container} of pod {ended[0].name} {ended[0].in_words}"
        evidence = (*evidence, *(end.evidence() for end in ended))
    elsewhere = any(pod.node != this.name for pod in chosen)
    subject = Subject() if elsewhere else Subject(node=this.name)
    said = f"the cluster DNS has no ready endpoint: {why}"
    by_hand = endpoints_by_hand(service, workloads, pods)
    yield Finding(said, evidence, subject, confidence=Confidence.CONFIRMED, by_hand=by_hand, wanted=not chosen)


def _all_end(pods: Iterable[Pod], ended: Iterable[LastEnd]) -> bool:
    """Whether every pod keeps ending: between two ends it may be ready for a moment."""
    names = {end.name for end in ended}
    chosen = [f"{pod.namespace}/{pod.name}" for pod in pods]
    return bool(chosen) and names.issuperset(chosen)
