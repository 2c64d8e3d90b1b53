"""A rollout, watched until every workload runs what was applied, or until it is clear that it will not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.gateways.pod_failure import Failure, first_cause, why
from netdoctor.system.foreign_text import is_number
from netdoctor.system.kube_api import KubeApi

EVERY = 0.5  # seconds between looks
PATIENCE = 6.0  # seconds that a lasting failure has to last: a kubelet may have looked before the Secret was there
TOLERATED = 20.0  # seconds without an answer of the API server
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
LOG_LINES = "40"
REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a workload has come."""

    workload: str  # deployment/litellm-llm
    wanted: int
    ready: int
    done: bool
    seen: bool  # whether the controllers have seen what was applied
    revision: str  # deployment.kubernetes.io/revision, or the StatefulSet's update revision

    @property
    def name(self) -> str:
        """Without its kind."""
        return self.workload.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a rollout ended."""

    progress: tuple[Progress, ...]
    seconds: Mapping[str, float]  # by workload, until it was done
    failures: tuple[Failure, ...]
    total: float

    @property
    def complete(self) -> bool:
        """Whether every workload runs what was applied."""
        return all(p.done for p in self.progress)

    @property
    def cause(self) -> Failure | None:
        """The one failure to name."""
        return None if self.complete else first_cause(self.failures)


def progress_of(item: Mapping[str, Any]) -> Progress:
    """From the API's object, as `kubectl rollout status` judges it."""
    kind, meta, spec, status = item["kind"], item["metadata"], item.get("spec", {}), item.get("status", {})
    wanted = int(spec.get("replicas", 1)) if kind != "DaemonSet" else int(status.get("desiredNumberScheduled", 0))
    seen = int(status.get("observedGeneration", 0)) >= int(meta.get("generation", 1))
    updated = int(status.get("updatedReplicas", status.get("updatedNumberScheduled", 0)))
    ready = int(status.get("readyReplicas", status.get("numberReady", 0)))
    done = seen and updated >= wanted and ready >= wanted
    if kind == "Deployment":
        revision = str((meta.get("annotations") or {}).get(REVISION, ""))
        done = done and int(status.get("replicas", 0)) <= wanted and int(status.get("availableReplicas", 0)) >= wanted
    else:
        revision = str(status.get("updateRevision", ""))
        done = done and (kind != "StatefulSet" or status.get("currentRevision") == status.get("updateRevision"))
    return Progress(f"{kind.lower()}/{meta['name']}", wanted, ready, done, seen, revision)


def look(api: KubeApi, namespace: str, workloads: tuple[str, ...]) -> tuple[Progress, ...]:
    """How far these workloads (kind/name) have come; one that is not there is not in the answer. Raises CannotRead."""
    found: dict[str, Progress] = {}
    kinds = {w.partition("/")[0] for w in workloads}
    for kind, plural in PLURALS.items():
        if kind.lower() not in kinds:
            continue
        for item in api.get(f"/apis/apps/v1/namespaces/{namespace}/{plural}")["items"]:
            progress = progress_of({**item, "kind": kind})
            found[progress.workload] = progress
    return tuple(found[w] for w in workloads if w in found)


def failures_of(api: KubeApi, namespace: str, workloads: tuple[str, ...]) -> tuple[Failure, ...]:
    """Why pods of these workloads are not ready, one for each such pod. Raises CannotRead."""
    if not workloads:
        return ()
    pods = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    owners = _owners(api, namespace, workloads)
    troubled = [p for p in pods if owners & _controllers(p) and not _ready(p) and not _ended(p)]
    if not troubled:
        return ()
    events = api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    found = []
    for pod in troubled:
        name, uid = pod["metadata"]["name"], pod["metadata"].get("uid")
        own = [e for e in events if e.get("involvedObject", {}).get("uid") == uid]

        def log(container: str, previous: bool, name: str = name) -> str:
            path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
            try:
                return api.text(path, container=container, previous=str(previous).lower(), tailLines=LOG_LINES)
            except CannotRead:
                return ""

        found.append(why(pod, log, sorted(own, key=lambda e: str(e.get("lastTimestamp") or ""))))
    return tuple(found)


@dataclass(slots=True)
class _Lasting:
    """Since when there is a failure that waiting does not help."""

    since: float = 0.0  # 0 while there is none

    def too_long(self, failures: tuple[Failure, ...], now: float) -> bool:
        """Whether it has lasted for longer than PATIENCE, these failures included."""
        lasting = any(f.lasting for f in failures)
        self.since = (self.since or now) if lasting else 0.0
        return lasting and now - self.since > PATIENCE


def watch(
    api: KubeApi, namespace: str, workloads: tuple[str, ...], timeout: float, tell: Callable[[Progress, float], None]
) -> Rollout:
    """Watch until all is done, a lasting failure shows, or `timeout` seconds are over. Raises CannotRead.

    `tell` is called whenever a workload has come further, with the seconds since the beginning.
    """
    begin = answered = time.monotonic()
    known: dict[str, Progress] = {}
    seconds: dict[str, float] = {}
    progress: tuple[Progress, ...] = ()
    lasting = _Lasting()
    while True:
        now = time.monotonic()
        try:
            progress = look(api, namespace, workloads)
            answered = now
        except CannotRead:  # the API server may be busy: two cores start six gateways
            if now - answered > TOLERATED:
                raise
        for item in _further(progress, known):
            tell(item, now - begin)
        done = [item.workload for item in progress if item.done]
        for workload in done:
            seconds.setdefault(workload, round(now - begin, 1))
        complete = len(done) == len(progress) == len(workloads)
        failures = () if complete else _failures(api, namespace, progress)
        given_up = lasting.too_long(failures, now)
        if complete or given_up or now - begin > timeout:
            return Rollout(progress, seconds, failures, round(time.monotonic() - begin, 1))
        time.sleep(EVERY)


def _further(progress: tuple[Progress, ...], known: dict[str, Progress]) -> list[Progress]:
    """What differs from what is known, and is known from now on."""
    further = [item for item in progress if known.get(item.workload) != item]
    known.update({item.workload: item for item in further})
    return further


def _failures(api: KubeApi, namespace: str, progress: tuple[Progress, ...]) -> tuple[Failure, ...]:
    try:
        return failures_of(api, namespace, tuple(p.workload for p in progress if not p.done))
    except CannotRead:
        return ()


def _owners(api: KubeApi, namespace: str, workloads: tuple[str, ...]) -> set[tuple[str, str]]:
    """Kind and name of what owns the pods that count: of a Deployment only its newest ReplicaSet."""
    kinds = {kind.lower(): kind for kind in PLURALS}
    found = set()
    for workload in workloads:
        kind, _, name = workload.partition("/")
        found.add((kinds[kind], name))
    deployments = {name for kind, name in found if kind == "Deployment"}
    if not deployments:
        return found
    sets = api.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets")["items"]
    return found | {("ReplicaSet", name) for name in _newest(sets, deployments)}


def _newest(sets: Iterable[Mapping[str, Any]], deployments: set[str]) -> set[str]:
    """The name of each of these Deployments' newest ReplicaSet."""
    newest: dict[str, tuple[int, str]] = {}
    for item in sets:
        meta = item["metadata"]
        revision = str((meta.get("annotations") or {}).get(REVISION, ""))
        one = (int(revision) if is_number(revision) else 0, meta["name"])
        for kind, name in _controllers(item):
            if kind == "Deployment" and name in deployments:
                newest[name] = max(one, newest.get(name, (0, "")))
    return {name for _, name in newest.values()}


def _controllers(item: Mapping[str, Any]) -> set[tuple[str, str]]:
    owners = item["metadata"].get("ownerReferences") or ()
    return {(str(o.get("kind")), str(o.get("name"))) for o in owners if o.get("controller")}


def _ended(pod: Mapping[str, Any]) -> bool:
    """Whether it is on its way out, or was evicted: its controller has made another one."""
    return "deletionTimestamp" in pod["metadata"] or pod.get("status", {}).get("phase") in ("Failed", "Succeeded")


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
