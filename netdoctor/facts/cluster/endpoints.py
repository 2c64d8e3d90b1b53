"""Why a Service has no ready endpoint."""

from __future__ import annotations

from netdoctor.facts.cluster.services import EndpointSlices, Service
from netdoctor.facts.cluster.workloads import Pods, Workloads
from netdoctor.model import Evidence
from netdoctor.redact import excerpt


def no_endpoints(
    service: Service, endpoints: EndpointSlices, workloads: Workloads, pods: Pods
) -> tuple[str, tuple[Evidence, ...]]:
    """The reason in words, and what shows it: scaled to 0, a selector that picks nobody, or pods that are not ready."""
    known = endpoints.by_service.get(str(service), ())
    evidence = [
        Evidence(f"EndpointSlices of {service}", f"0 ready of {len({e.address for e in known})}", "at least one ready")
    ]
    selector = ", ".join(f"{k}={v}" for k, v in sorted(service.selector.items())) or "none"
    behind = workloads.behind(service)
    chosen = [p for p in pods.selected(service.namespace, service.selector) if not p.leaving]
    if not chosen and behind and all(w.wanted == 0 for w in behind):
        names = ", ".join(str(w) for w in behind)
        evidence.append(Evidence(f"{service.namespace} {names}", "replicas 0", "replicas 1 or more"))
        return f"{names} is scaled to 0", tuple(evidence)
    if not chosen and not behind:
        evidence.append(Evidence(f"selector of Service {service}", selector, "the labels of a workload's pods"))
        return f"its selector ({selector}) picks no pod of any workload", tuple(evidence)
    if not chosen:
        evidence.append(Evidence(f"pods with {selector}", "none", ", ".join(str(w) for w in behind)))
        return f"{behind[0]} has no pods", tuple(evidence)
    for pod in chosen[:3]:
        evidence.append(Evidence(f"pod {pod.namespace}/{pod.name}", pod.trouble or f"{pod.phase}, not ready", "ready"))
    trouble = next((p.trouble for p in chosen if p.trouble), "not ready")
    return f"{len(chosen)} pods, none ready ({excerpt(trouble.partition(' ')[2], 120) or trouble})", tuple(evidence)
