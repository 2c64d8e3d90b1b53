"""Scale CoreDNS up to one pod.

## What it does
Sets `spec.replicas` of the Deployment behind the cluster's DNS Service from 0 to 1, and waits until its pod is ready.
Nothing is done where the Service picks pods of several workloads or of one that is not scaled to 0.

## What it costs
One pod is started; nothing restarts.

## By hand
`kubectl -n kube-system scale deployment coredns --replicas=1`.

## Undo
Sets it back to 0; CoreDNS's pod ends after some seconds. If somebody has scaled it since, nothing is changed.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.kubernetes_object import PatchObject
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.workloads import Workloads
from netdoctor.model import Access
from netdoctor.system.host import Host


@remedy(fixes="coredns-not-ready", opens=(Access.POD_TO_SERVICE,))
def scale_coredns(
    findings: tuple[Finding, ...],  # noqa: ARG001 - there is one cluster DNS
    services: Services,
    endpoints: EndpointSlices,
    workloads: Workloads,
    host: Host,
) -> Iterator[Change]:
    """The one Deployment that the DNS Service picks, where it wants no pod."""
    service = services.cluster_dns
    if service is None or endpoints.ready(service):
        return
    behind = workloads.behind(service)
    if len(behind) != 1 or behind[0].kind != "Deployment":
        raise NotApplicable(f"Service {service} picks the pods of {len(behind)} workloads, and not of one Deployment")
    if behind[0].wanted != 0:
        raise NotApplicable(f"{behind[0]} is not scaled to 0")
    yield PatchObject.planned(host, "Deployment", service.namespace, behind[0].name, [("/spec/replicas", 1)])
