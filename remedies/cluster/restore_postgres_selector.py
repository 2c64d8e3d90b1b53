"""Have the Service of Postgres pick the one workload that fits it.

## What it does
Sets `spec.selector` of a Service of Postgres that picks no pod of any workload. The new one has the same keys, with the
values that the pods of the one fitting workload have; where they lack such a key, all labels of the workload's pods. A
Deployment or StatefulSet of the namespace fits if its pods declare every port that the Service leads to and one of
them is ready. Where several fit, where the selector would pick other pods as well, or where another Service of
Postgres picks the workload already (a primary beside a replica), nothing is changed.

## What it costs
Nothing restarts.

## By hand
`kubectl -n NAMESPACE edit service/NAME`.

## Undo
Writes the selector that was there. If somebody has changed it since, nothing is changed.
"""

from collections.abc import Iterator
from dataclasses import replace

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.kubernetes_object import PatchObject
from netdoctor.facts.cluster.service_targets import insist_on_unfit_selector, offers, running, targets
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods, Workload, Workloads
from netdoctor.model import Access
from netdoctor.system.host import Host

KINDS = ("Deployment", "StatefulSet")


@remedy(fixes="postgres-without-endpoints", opens=(Access.POD_TO_SERVICE, Access.OUTSIDE_TO_NODE_PORT))
def restore_postgres_selector(
    findings: tuple[Finding, ...],  # noqa: ARG001 - every such Service
    services: Services,
    endpoints: EndpointSlices,
    workloads: Workloads,
    pods: Pods,
    this: ThisNode,
    host: Host,
) -> Iterator[Change]:
    """Each Service of Postgres whose selector fits nothing, where one workload fits it."""
    for service in services.postgres:
        if endpoints.ready(service):
            continue
        insist_on_unfit_selector(service, workloads, pods)
        workload = _the_one(service, workloads, pods)
        selector = _selector(service, workload)
        chosen = replace(service, selector=selector)
        _insist_on_its_own(chosen, workload, services, workloads, pods)
        yield PatchObject.planned(
            host,
            "Service",
            service.namespace,
            service.name,
            [("/spec/selector", selector)],
            translations=targets(service, pods.selected(service.namespace, selector), this.addresses),
        )


def _the_one(service: Service, workloads: Workloads, pods: Pods) -> Workload:
    """The workload that fits the Service. Raises NotApplicable for none, and for several."""
    fitting = [each for each in workloads.items if each.namespace == service.namespace and each.kind in KINDS]
    fitting = [each for each in fitting if _fits(service, _pods_of(each, pods))]
    if len(fitting) != 1:
        names = ", ".join(map(str, fitting)) or "none"
        raise NotApplicable(f"which workload Service {service} is for is a guess; those that fit: {names}")
    return fitting[0]


def _pods_of(workload: Workload, pods: Pods) -> tuple[Pod, ...]:
    return pods.selected(workload.namespace, workload.labels)


def _fits(service: Service, pods: tuple[Pod, ...]) -> bool:
    """Whether one of a workload's pods is ready, and each has the ports that the Service leads to."""
    return bool(running(pods)) and all(offers(service, pod) for pod in pods)


def _selector(service: Service, workload: Workload) -> dict[str, str]:
    """The Service's own keys with the workload's values; all of its labels where it lacks one of them."""
    if service.selector.keys() <= workload.labels.keys():
        return {key: workload.labels[key] for key in service.selector}
    return dict(workload.labels)


def _insist_on_its_own(
    chosen: Service, workload: Workload, services: Services, workloads: Workloads, pods: Pods
) -> None:
    """Raise NotApplicable where the new selector picks anything else, or another Service of Postgres the same."""
    picked = pods.selected(chosen.namespace, chosen.selector)
    strangers = [pod for pod in picked if pod not in _pods_of(workload, pods) or not pod.owner]
    if workloads.behind(chosen) != (workload,) or strangers:
        raise NotApplicable(f"the labels of {workload} pick other pods too")
    for other in services.postgres:
        if str(other) != str(chosen) and workload in workloads.behind(other):
            raise NotApplicable(f"{workload} has a Service of its own: {other}")
