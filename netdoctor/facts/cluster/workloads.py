"""Nodes, pods and workloads, as far as probes judge them: one list request each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Service, Services
from netdoctor.redact import excerpt
from netdoctor.system.clock import now, seconds_between, utc
from netdoctor.system.kube_api import KubeApi

OURS = "netdoctor"  # the value of this label on everything that netdoctor creates
OURS_LABEL = "app.kubernetes.io/managed-by"
SYSTEM_NAMESPACE = "kube-system"  # only who runs the cluster makes pods in it
DNS_SELECTOR = {"k8s-app": "kube-dns"}
MESSAGE, REASON = 300, 40  # characters of what the kubelet or the scheduler says
OFTEN, JUST = 3, 60.0  # restarts, and seconds since the last end, of what keeps ending
STARTS = 60.0  # seconds that a pod may take to get ready before that is a fault
LOST = ("Unknown", 255)  # how the kubelet notes a container that ended with the machine: reason and exit status
OUR_NAME = re.compile(rf"{OURS}-[0-9a-f]{{6}}")  # of a test pod


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it reports itself."""

    name: str
    addresses: tuple[str, ...]
    pod_cidrs: tuple[str, ...]
    ready: bool
    problem: str  # the message of the Ready condition when it is not true
    images: tuple[str, ...]
    kubelet: str = ""  # its version, as in v1.36.3


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
        problem=""
        if ready.get("status") == "True"
        else excerpt(ready.get("message", "it has never reported"), MESSAGE),
        images=tuple(name for image in status.get("images", ()) for name in image.get("names", ())),
        kubelet=str(status.get("nodeInfo", {}).get("kubeletVersion", "")),
    )


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How a container ended last, otherwise than well."""

    container: str
    exit_code: int
    kind: str  # the runtime's word for it: Error, OOMKilled
    at: str
    running: bool  # whether it runs again
    restarts: int


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that leads to a pod."""

    protocol: str
    number: int  # of the node
    container_port: int
    address: str = ""  # of the node, "" for each of its addresses


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
    owner_uid: str = ""  # of its controller
    ends: tuple[ContainerEnd, ...] = ()  # of its containers that have ended, and otherwise than well
    host_ports: tuple[HostPort, ...] = ()
    started: str = ""  # when it was created, or its containers began after a boot of the machine

    def is_starting(self, now: str) -> bool:
        """Whether it is not ready because it has just been started, at this time: nothing else speaks against it."""
        if self.ready or self.leaving or self.trouble or self.phase not in ("Pending", "Running"):
            return False
        return all(_with_the_machine(end) for end in self.ends) and abs(self.age(now)) <= STARTS

    def age(self, now: str) -> float:
        """Seconds since it was started, infinite where that or the present time is not known."""
        if not now or not self.started:
            return float("inf")
        return seconds_between(self.started, now)

    def keeps_ending(self, now: float) -> bool:
        """Whether a container of it ends again and again, at this time: it may run, and be ready, between two ends."""
        return any(end.restarts >= OFTEN and end.at > utc(now - JUST) for end in self.ends)

    @property
    def is_ours(self) -> bool:
        """Whether netdoctor made it: a bare pod with the label and a name of netdoctor's form."""
        labelled = self.labels.get(OURS_LABEL) == OURS
        return labelled and not self.owner and OUR_NAME.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True)
class Pods:
    """pods"""

    items: tuple[Pod, ...]
    at: str = ""  # when they were listed, "" in a recording that does not say it

    @classmethod
    def collect(cls, api: KubeApi) -> Pods:
        """All pods of all namespaces."""
        return cls(tuple(pod_of(item) for item in api.get("/api/v1/pods")["items"]), now())

    def selected(self, namespace: str, selector: Mapping[str, str]) -> tuple[Pod, ...]:
        """The pods that a Service's selector picks; an empty selector picks none."""
        if not selector:
            return ()
        return tuple(p for p in self.items if p.namespace == namespace and selector.items() <= p.labels.items())


def dns_pods(services: Services | CannotRead, pods: Pods | CannotRead) -> tuple[Pod, ...]:
    """CoreDNS's pods: those that the cluster's DNS Service selects, in its own namespace.

    Where no such Service says which, those of kube-system with CoreDNS's usual label: no tenant makes pods there.
    """
    if isinstance(pods, CannotRead):
        return ()
    service = None if isinstance(services, CannotRead) else services.cluster_dns
    return pods.selected(SYSTEM_NAMESPACE, (service.selector if service else None) or DNS_SELECTOR)


def pod_of(item: Mapping[str, Any]) -> Pod:
    """A pod from the API's object."""
    meta, spec, status = item["metadata"], item.get("spec", {}), item.get("status", {})
    conditions = status.get("conditions", ())
    owner = next((o for o in meta.get("ownerReferences") or () if o.get("controller")), None)
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        node=spec.get("nodeName", ""),
        addresses=tuple(ip["ip"] for ip in status.get("podIPs", ())),
        host_network=bool(spec.get("hostNetwork")),
        phase=status.get("phase", ""),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        labels=meta.get("labels") or {},
        owner=f"{owner['kind']}/{owner['name']}" if owner else "",
        created=meta.get("creationTimestamp", ""),
        trouble="; ".join((*_waiting(status), *_unscheduled(conditions))),
        leaving="deletionTimestamp" in meta,
        ports=tuple(_ports(spec)),
        owner_uid=owner.get("uid", "") if owner else "",
        ends=tuple(_ends(status)),
        host_ports=tuple(_host_ports(spec)),
        started=max(meta.get("creationTimestamp", ""), *_begun_after_a_boot(status), ""),
    )


def _with_the_machine(end: ContainerEnd) -> bool:
    """Whether a container ended because the machine did."""
    return (end.kind, end.exit_code) == LOST


def _begun_after_a_boot(status: Mapping[str, Any]) -> Iterator[str]:
    """When containers began whose last end was the machine's."""
    for held in status.get("containerStatuses", ()):
        running = (held.get("state") or {}).get("running") or {}
        last = (held.get("lastState") or {}).get("terminated") or {}
        if (last.get("reason"), last.get("exitCode")) == LOST:
            yield str(running.get("startedAt") or "")


def _ends(status: Mapping[str, Any]) -> Iterator[ContainerEnd]:
    """The last end of each container, where it did not end well: of this run, else of the one before."""
    for held in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        state, last = held.get("state") or {}, held.get("lastState") or {}
        end = state.get("terminated") or last.get("terminated")
        if end and end.get("exitCode"):
            yield ContainerEnd(
                str(held["name"]),
                int(end["exitCode"]),
                excerpt(end.get("reason", ""), REASON),
                str(end.get("finishedAt") or ""),
                "running" in state,
                int(held.get("restartCount", 0)),
            )


def _waiting(status: Mapping[str, Any]) -> Iterator[str]:
    """Why containers wait, in the kubelet's words; that it is creating them is not trouble."""
    for state in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = state.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            said = f"{waiting.get('reason', 'waiting')} {waiting.get('message', '')}"
            yield f"{state['name']}: {excerpt(said, MESSAGE)}"


def _unscheduled(conditions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Why no node takes the pod, in the scheduler's words."""
    for condition in conditions:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            yield f"not scheduled: {excerpt(condition.get('message', ''), MESSAGE)}"


def _ports(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Name, protocol and number of each port that the containers declare."""
    for container in spec.get("containers", ()):
        for port in container.get("ports", ()):
            yield port.get("name", ""), port.get("protocol", "TCP"), port["containerPort"]


def _host_ports(spec: Mapping[str, Any]) -> Iterator[HostPort]:
    """The ports of the node that the containers ask for; 0.0.0.0 is the same as no address."""
    for container in spec.get("containers", ()):
        for port in container.get("ports", ()):
            if port.get("hostPort"):
                address, protocol = port.get("hostIP") or "", port.get("protocol", "TCP")
                of_all = address == "0.0.0.0"
                yield HostPort(protocol, port["hostPort"], port["containerPort"], "" if of_all else address)


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
        wanted = service.selector.items()
        if not wanted:
            return ()
        return tuple(w for w in self.items if w.namespace == service.namespace and wanted <= w.labels.items())
