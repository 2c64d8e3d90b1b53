"""Nodes, pods and workloads, as far as probes judge them: one list request each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.facts.services import Service
from netdoctor.kube_api import KubeApi

OURS = "netdoctor"  # the value of app.kubernetes.io/managed-by on everything that netdoctor creates


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it reports itself."""

    name: str
    addresses: tuple[str, ...]
    pod_cidrs: tuple[str, ...]
    ready: bool
    problem: str  # the message of the Ready condition when it is not true
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nodes:
    """nodes"""

    items: tuple[Node, ...]

    @classmethod
    def collect(cls, api: KubeApi) -> Nodes:
        """All nodes."""
        return cls(tuple(_node(item) for item in api.get("/api/v1/nodes")["items"]))


def _node(item: Mapping[str, Any]) -> Node:
    status = item.get("status", {})
    ready: Mapping[str, Any] = next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})
    return Node(
        name=item["metadata"]["name"],
        addresses=tuple(a["address"] for a in status.get("addresses", ()) if a["type"] == "InternalIP"),
        pod_cidrs=tuple(item.get("spec", {}).get("podCIDRs", ())),
        ready=ready.get("status") == "True",
        problem="" if ready.get("status") == "True" else str(ready.get("message", "it has never reported")),
        images=tuple(name for image in status.get("images", ()) for name in image.get("names", ())),
    )


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as the API server knows it."""

    namespace: str
    name: str
    uid: str
    node: str
    addresses: tuple[str, ...]
    host_network: bool
    phase: str
    ready: bool
    labels: Mapping[str, str]
    owner: str  # kind/name of its controller, "" for a bare pod
    created: str
    trouble: str  # why a container waits or ended, in the kubelet's words, "" when none does
    leaving: bool
    ports: tuple[tuple[str, str, int], ...] = ()  # name, protocol and number of each port that it declares

    @property
    def is_ours(self) -> bool:
        """Whether netdoctor made it."""
        return self.labels.get("app.kubernetes.io/managed-by") == OURS


@dataclass(frozen=True, slots=True)
class Pods:
    """pods"""

    items: tuple[Pod, ...]

    @classmethod
    def collect(cls, api: KubeApi) -> Pods:
        """All pods of all namespaces."""
        return cls(tuple(pod_of(item) for item in api.get("/api/v1/pods")["items"]))

    def selected(self, namespace: str, selector: Mapping[str, str]) -> tuple[Pod, ...]:
        """The pods that a Service's selector picks; an empty selector picks none."""
        if not selector:
            return ()
        return tuple(p for p in self.items if p.namespace == namespace and selector.items() <= p.labels.items())


def pod_of(item: Mapping[str, Any]) -> Pod:
    """A pod from the API's object."""
    meta, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    trouble = []
    for state in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = state.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            trouble.append(f"{state['name']}: {waiting.get('reason', 'waiting')} {waiting.get('message', '')}".strip())
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            trouble.append(f"not scheduled: {condition.get('message', '')}")
    owner = next((o for o in meta.get("ownerReferences", ()) if o.get("controller")), None)
    return Pod(
        namespace=meta["namespace"], name=meta["name"], uid=meta["uid"], node=spec.get("nodeName", ""),
        addresses=tuple(ip["ip"] for ip in status.get("podIPs", ())), host_network=bool(spec.get("hostNetwork")),
        phase=status.get("phase", ""),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())),
        labels=meta.get("labels", {}), owner=f"{owner['kind']}/{owner['name']}" if owner else "",
        created=meta.get("creationTimestamp", ""), trouble="; ".join(trouble),
        leaving="deletionTimestamp" in meta,
        ports=tuple(
            (p.get("name", ""), p.get("protocol", "TCP"), p["containerPort"])
            for container in spec.get("containers", ()) for p in container.get("ports", ())
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, StatefulSet or DaemonSet: how many pods it wants and which labels they carry."""

    kind: str
    namespace: str
    name: str
    wanted: int
    ready: int
    labels: Mapping[str, str]

    def __str__(self) -> str:
        """As kubectl names it."""
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Workloads:
    """workloads"""

    items: tuple[Workload, ...]

    @classmethod
    def collect(cls, api: KubeApi) -> Workloads:
        """All Deployments, StatefulSets and DaemonSets."""
        found = []
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            for item in api.get(f"/apis/apps/v1/{kind.lower()}s")["items"]:
                meta, spec, status = item["metadata"], item["spec"], item.get("status", {})
                wanted = status.get("desiredNumberScheduled", 0) if kind == "DaemonSet" else spec.get("replicas", 1)
                ready = status.get("numberReady", 0) if kind == "DaemonSet" else status.get("readyReplicas", 0)
                labels = spec["template"]["metadata"].get("labels", {})
                found.append(Workload(kind, meta["namespace"], meta["name"], wanted, ready, labels))
        return cls(tuple(found))

    def behind(self, service: Service) -> tuple[Workload, ...]:
        """The workloads whose pods a Service's selector would pick."""
        return tuple(
            w for w in self.items
            if service.selector and w.namespace == service.namespace and service.selector.items() <= w.labels.items()
        )  # fmt: skip
