"""The modules as they are now: replicas, ports, models, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.facts.gateways.gateway_objects import WORKLOADS, ModuleObjects, workload_name
from netdoctor.facts.gateways.gateways import Gateway, Modules
from netdoctor.gateways.deployment import targets
from netdoctor.gateways.gateway_http import QUICK, ask, said
from netdoctor.gateways.pod_failure import Failure, first_cause
from netdoctor.gateways.rollout import Progress, failures_of, look
from netdoctor.system.foreign_text import is_number
from netdoctor.system.kube_api import KubeApi

SHARED = ("postgres", "prometheus")


@dataclass(frozen=True, slots=True)
class ModuleStatus:
    """One module."""

    name: str
    node_port: int
    wanted: int
    ready: int
    models: tuple[str, ...]
    answers: bool | None  # whether its NodePort says that it is ready; None: it has none
    answer: str
    restarts: int
    trouble: str

    @property
    def ok(self) -> bool:
        """Whether all of it runs, and answers."""
        return 0 < self.wanted <= self.ready and self.answers is not False and not self.trouble


@dataclass(frozen=True, slots=True)
class SharedStatus:
    """What the modules share."""

    name: str
    port: int
    wanted: int
    ready: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Status:
    """The whole deployment."""

    namespace: str
    modules: tuple[ModuleStatus, ...]
    shared: tuple[SharedStatus, ...]
    cause: str  # the one failure of a pod to look at first, "" for none
    schema_version: int = 1

    @property
    def ok(self) -> bool:
        """Whether everything that should run does, and answers."""
        return all(m.ok for m in self.modules) and all(s.ready >= s.wanted for s in self.shared)


def read(facts: Facts) -> Status:
    """The status of the modules in the cluster. Raises CannotRead, also where there are none."""
    api, modules, objects = facts.get(KubeApi), facts.get(Modules), facts.get(ModuleObjects)
    workloads = tuple(
        workload_name(o) for o in objects.of_kind(*WORKLOADS) if o["metadata"].get("namespace") == modules.namespace
    )
    progress = {p.workload: p for p in look(api, modules.namespace, workloads)}
    failures = failures_of(api, modules.namespace, tuple(w for w, p in progress.items() if p.ready < p.wanted))
    restarts = _restarts(api, modules.namespace)
    answers = _answers(facts)
    found = tuple(
        _module(g, progress.get(g.workload), failures, restarts, answers.get(g.name)) for g in modules.gateways
    )
    shared = tuple(_shared(p, objects, failures) for p in progress.values() if p.name in SHARED)
    cause = first_cause(failures)
    return Status(modules.namespace, found, shared, f"pod {cause.pod}: {cause.sentence}" if cause else "")


def _module(
    gateway: Gateway,
    progress: Progress | None,
    failures: tuple[Failure, ...],
    restarts: Mapping[str, int],
    answer: tuple[bool, str] | None,
) -> ModuleStatus:
    name = gateway.workload.partition("/")[2]
    return ModuleStatus(
        name=gateway.name,
        node_port=gateway.container_port if gateway.host_network else gateway.node_port,
        wanted=progress.wanted if progress else gateway.replicas,
        ready=progress.ready if progress else 0,
        models=tuple(m.name for m in gateway.models),
        answers=answer[0] if answer else None,
        answer=answer[1] if answer else "",
        restarts=sum(count for pod, count in restarts.items() if _of(pod, name)),
        trouble=_trouble(failures, name) or _idle(gateway, progress),
    )


def _idle(gateway: Gateway, progress: Progress | None) -> str:
    """Why nobody reaches a module whose pods are well."""
    if progress and not progress.wanted:
        return "scaled to 0"
    if not gateway.service:
        return "no Service selects its pods"
    if progress and not progress.done and progress.ready >= progress.wanted:
        return "its latest change is not rolled out"
    return ""


def _shared(progress: Progress, objects: ModuleObjects, failures: tuple[Failure, ...]) -> SharedStatus:
    service = next((s for s in objects.of_kind("Service") if s["metadata"]["name"] == progress.name), None)
    port = int(service["spec"]["ports"][0]["port"]) if service and service["spec"].get("ports") else 0
    return SharedStatus(progress.name, port, progress.wanted, progress.ready, _trouble(failures, progress.name))


def _trouble(failures: tuple[Failure, ...], workload: str) -> str:
    mine = [f for f in failures if _of(f.pod, workload)]
    worst = first_cause(mine)
    return worst.sentence if worst else mine[0].sentence if mine else ""


def _of(pod: str, workload: str) -> bool:
    """Whether a pod has the name that this workload gives: with a hash and five letters, or with a number."""
    rest = pod.removeprefix(f"{workload}-")
    return rest != pod and rest.count("-") <= 1 and (is_number(rest) or "-" in rest)


def _restarts(api: KubeApi, namespace: str) -> dict[str, int]:
    pods = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return {
        p["metadata"]["name"]: sum(
            int(c.get("restartCount", 0))
            for key in ("containerStatuses", "initContainerStatuses")
            for c in p.get("status", {}).get(key) or ()
        )
        for p in pods
    }


def _answers(facts: Facts) -> dict[str, tuple[bool, str]]:
    """What each NodePort says of its readiness."""
    try:
        found = [t for t in targets(facts) if not t.url.endswith(":0")]
    except CannotRead:
        return {}
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        replies = pool.map(lambda t: ask(t.url + "/health/readiness", timeout=QUICK), found)
        return {
            t.gateway.name: (reply.status == 200, "ready" if reply.status == 200 else said(reply))
            for t, reply in zip(found, replies, strict=True)
        }
