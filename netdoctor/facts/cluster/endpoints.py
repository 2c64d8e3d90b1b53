"""Why a Service has no ready endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.services import EndpointSlices, Service
from netdoctor.facts.cluster.workloads import STARTS, Pod, Pods, Workload, Workloads
from netdoctor.model import Evidence
from netdoctor.near_names import near_names
from netdoctor.redact import excerpt
from netdoctor.shell import command
from netdoctor.values import Values

ALIKE = 0.75  # kubedns and kube-dns are, postgres and redis are not


def no_endpoints(
    service: Service, endpoints: EndpointSlices, workloads: Workloads, pods: Pods
) -> tuple[str, tuple[Evidence, ...]]:
    """The reason in words, and what shows it: scaled to 0, no pod for the selector, or pods that are not ready."""
    known = endpoints.by_service.get(str(service), ())
    count = len({endpoint.address for endpoint in known})
    data = Values(service=str(service), count=0, of=count)
    none_ready = Evidence(f"EndpointSlices of {service}", f"0 ready of {count}", "at least one ready", data)
    chosen = [p for p in pods.selected(service.namespace, service.selector) if not p.leaving]
    if chosen:
        reason, evidence = _not_ready(chosen)
    else:
        reason, evidence = _no_pods(service, workloads.behind(service), _nearly_behind(service, workloads))
    return reason, (none_ready, *evidence)


def starting(what: str, service: Service, pods: Pods) -> CannotRead | None:
    """What to raise where each pod of a Service without a ready endpoint has just been started, else None.

    `what`: the name of the program in them.
    """
    chosen = [p for p in pods.selected(service.namespace, service.selector) if not p.leaving]
    if not chosen or not all(pod.is_starting(pods.at) for pod in chosen):
        return None
    youngest = min(chosen, key=lambda pod: pod.age(pods.at))
    age = max(0, round(youngest.age(pods.at)))
    name = f"{youngest.namespace}/{youngest.name}"
    left = max(1, round(STARTS) - age)
    return CannotRead(what, f"{what} is starting: pod {name} is {age} s old; check again in {left} s", Why.STARTING)


def endpoints_by_hand(service: Service, workloads: Workloads, pods: Pods) -> tuple[str, ...]:
    """What to type for it: scale the workload up, look at the pods, or correct the selector."""
    chosen = [p for p in pods.selected(service.namespace, service.selector) if not p.leaving]
    if chosen:
        return command("kubectl -n {} describe pod/{}", chosen[0].namespace, chosen[0].name)
    behind = workloads.behind(service)
    if not behind and (near := _nearly_behind(service, workloads)):
        wanted = tuple(f"{key}={near.labels[key]}" for key in service.selector)
        return command("kubectl -n {} set selector service/{} {}", service.namespace, service.name, wanted)
    if not behind:
        return command("kubectl -n {} edit service/{}", service.namespace, service.name)
    if behind[0].wanted == 0 and behind[0].kind in ("Deployment", "StatefulSet"):
        return command("kubectl -n {} scale {} --replicas=1", service.namespace, str(behind[0]))
    return command("kubectl -n {} describe {}", service.namespace, str(behind[0]))


def _nearly_behind(service: Service, workloads: Workloads) -> Workload | None:
    """The one workload that a Service's selector may be meant for, where its pods have these labels by other values.

    It is called like the Service, or a value of its labels is the selector's or nearly so.
    """
    wanted = service.selector
    here = [each for each in workloads.items if each.namespace == service.namespace]
    labelled = [each for each in here if wanted and wanted.keys() <= each.labels.keys()]
    alike = [each for each in labelled if each.name == service.name or _are_alike(wanted, each.labels)]
    return alike[0] if len(alike) == 1 else None


def _are_alike(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return any(near_names(value, [labels[key]], ALIKE) for key, value in selector.items())


def _no_pods(service: Service, behind: Sequence[Workload], near: Workload | None) -> tuple[str, list[Evidence]]:
    """Why a Service's selector matches no pod."""
    selector = ", ".join(f"{k}={v}" for k, v in sorted(service.selector.items())) or "none"
    if not behind:
        wanted, instead = "the labels of a workload's pods", ""
        if near:
            wanted = ", ".join(f"{key}={near.labels[key]}" for key in sorted(service.selector))
            instead = f"; those of {near} have {wanted}"
        shown = Evidence(f"selector of Service {service}", selector, wanted)
        return f"its selector ({selector}) matches no pod of any workload{instead}", [shown]
    names = ", ".join(str(w) for w in behind)
    if all(w.wanted == 0 for w in behind):
        return f"{names} is scaled to 0", [Evidence(f"{service.namespace} {names}", "replicas 0", "replicas 1 or more")]
    return f"{behind[0]} has no pods", [Evidence(f"pods with {selector}", "none", names)]


def _not_ready(pods: Sequence[Pod]) -> tuple[str, list[Evidence]]:
    """What keeps these pods from getting ready."""
    named = [(f"{pod.namespace}/{pod.name}", pod) for pod in pods[:3]]
    evidence = [
        Evidence(f"pod {name}", pod.trouble or f"{pod.phase}, not ready", "ready", Values(pod=name))
        for name, pod in named
    ]
    trouble = next((p.trouble for p in pods if p.trouble), "")
    said = excerpt(trouble.partition(" ")[2], 120) or trouble
    return f"{len(pods)} pods, none ready" + (f" ({said})" if said else ""), evidence
