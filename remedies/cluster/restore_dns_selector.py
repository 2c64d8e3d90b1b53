"""Have the DNS Service pick CoreDNS's pods again.

## What it does
Sets `spec.selector` of the cluster's DNS Service to `k8s-app: kube-dns`, as kubeadm writes it. It does so only where
its selector picks no pod of any workload, and pods of kube-system with that label are ready and declare every port
that the Service leads to.

## What it costs
Nothing restarts.

## By hand
`kubectl -n kube-system edit service kube-dns`.

## Undo
Writes the selector that was there. If somebody has changed it since, nothing is changed.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.kubernetes_object import PatchObject
from netdoctor.facts.cluster.service_targets import insist_on_unfit_selector, offers, running, targets
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import DNS_SELECTOR, Pods, Workloads
from netdoctor.model import Access
from netdoctor.system.host import Host


@remedy(fixes="coredns-not-ready", opens=(Access.POD_TO_SERVICE, Access.OUTSIDE_TO_NODE_PORT))
def restore_dns_selector(
    findings: tuple[Finding, ...],  # noqa: ARG001 - there is one cluster DNS
    services: Services,
    endpoints: EndpointSlices,
    workloads: Workloads,
    pods: Pods,
    this: ThisNode,
    host: Host,
) -> Iterator[Change]:
    """The DNS Service, where its selector fits nothing and CoreDNS's pods are there."""
    service = services.cluster_dns
    if service is None or endpoints.ready(service):
        return
    insist_on_unfit_selector(service, workloads, pods)
    coredns = running(pods.selected(service.namespace, DNS_SELECTOR))
    if not coredns or not all(offers(service, pod) for pod in coredns):
        raise NotApplicable(f"no ready pod of {service.namespace} is CoreDNS's and has the ports of Service {service}")
    yield PatchObject.planned(
        host,
        "Service",
        service.namespace,
        service.name,
        [("/spec/selector", DNS_SELECTOR)],
        translations=targets(service, coredns, this.addresses),
    )
