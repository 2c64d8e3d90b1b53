"""The cluster's objects, as far as probes judge them: one list request each."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.clock import utc
from netdoctor.errors import CannotRead
from netdoctor.facts.iptables import Iptables
from netdoctor.kube_api import KubeApi

SYNC_SECONDS = 3.0  # kube-proxy writes its rules about once a second
CHANGED = "endpoints.kubernetes.io/last-change-trigger-time"
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
class ServicePort:
    """One port of a Service."""

    name: str
    protocol: str
    port: int
    node_port: int  # 0: none


@dataclass(frozen=True, slots=True)
class Service:
    """A Service with a ClusterIP."""

    namespace: str
    name: str
    kind: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str]

    def __str__(self) -> str:
        """namespace/name, as kubectl and kube-proxy's comments write it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Services:
    """Services"""

    items: tuple[Service, ...]
    source: str  # where they were read

    @classmethod
    def collect(cls, api: KubeApi | CannotRead, iptables: Iptables | CannotRead) -> Services:
        """All Services that have a ClusterIP; without the API server, those in the comments of kube-proxy's rules."""
        if not isinstance(api, CannotRead):
            items = api.get("/api/v1/services")["items"]
            return cls(tuple(service_of(i) for i in items if i["spec"].get("clusterIP", "None") != "None"), api.server)
        if isinstance(iptables, CannotRead):
            raise api
        found = services_in_rules(iptables.nft.rules("nat", "KUBE-SERVICES"))
        if not found:
            raise api
        return cls(found, "the comments in iptables nat KUBE-SERVICES")

    def named(self, namespace: str, name: str) -> Service | None:
        """The Service of this name."""
        return next((s for s in self.items if (s.namespace, s.name) == (namespace, name)), None)

    @property
    def cluster_dns(self) -> Service | None:
        """The Service of the cluster's DNS: in kube-system, with port 53."""
        candidates = [s for s in self.items if s.namespace == "kube-system" and any(p.port == 53 for p in s.ports)]
        return min(candidates, key=lambda s: (s.name != "kube-dns", "dns" not in s.name), default=None)

    @property
    def postgres(self) -> tuple[Service, ...]:
        """The Services that offer Postgres: by port 5432, or by a port called so."""
        return tuple(s for s in self.items if any(p.port == 5432 or "postgres" in p.name for p in s.ports))


def service_of(item: Mapping[str, Any]) -> Service:
    """A Service from the API's object."""
    spec = item["spec"]
    ports = tuple(
        ServicePort(p.get("name", ""), p.get("protocol", "TCP"), p["port"], p.get("nodePort", 0))
        for p in spec.get("ports", ())
    )
    meta, kind, selector = item["metadata"], spec.get("type", ""), spec.get("selector", {})
    return Service(meta["namespace"], meta["name"], kind, spec.get("clusterIP", ""), ports, selector)


def services_in_rules(rules: tuple[str, ...]) -> tuple[Service, ...]:
    """The Services that kube-proxy's rules were written for, from their comments (proxier.go)."""
    comment = r'--comment "([^/"]+)/([^:" ]+):?(\S*) (?:cluster IP|has no endpoints)"'
    pattern = rf"-d ([\d.]+)/32 -p (\w+) .*{comment}.*--dport (\d+)"
    ports: dict[tuple[str, str, str], list[ServicePort]] = {}
    for rule in rules:
        if match := re.search(pattern, rule):
            address, protocol, namespace, name, port_name, port = match.groups()
            ports.setdefault((namespace, name, address), []).append(
                ServicePort(port_name, protocol.upper(), int(port), 0)
            )
    return tuple(Service(ns, name, "", address, tuple(p), {}) for (ns, name, address), p in ports.items())


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address behind a Service."""

    address: str
    port: int
    protocol: str
    ready: bool


@dataclass(frozen=True, slots=True)
class EndpointSlices:
    """EndpointSlices"""

    by_service: Mapping[str, tuple[Endpoint, ...]]  # namespace/name -> endpoints
    changing: tuple[str, ...] = ()  # Services whose endpoints changed so lately that kube-proxy may not have followed

    @classmethod
    def collect(cls, api: KubeApi) -> EndpointSlices:
        """The endpoints of every Service."""
        found: dict[str, list[Endpoint]] = {}
        changing = []
        settled = utc(time.time() - SYNC_SECONDS)
        for item in api.get("/apis/discovery.k8s.io/v1/endpointslices")["items"]:
            name = item["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
            endpoints = found.setdefault(f"{item['metadata']['namespace']}/{name}", [])
            notes = item["metadata"].get("annotations") or {}
            if max(str(notes.get(CHANGED, "")), str(item["metadata"].get("creationTimestamp") or "")) > settled:
                changing.append(f"{item['metadata']['namespace']}/{name}")
            for endpoint in item.get("endpoints") or ():
                ready = endpoint.get("conditions", {}).get("ready", True) is not False
                for port in item.get("ports") or ():
                    for address in endpoint.get("addresses", ()):
                        protocol = port.get("protocol", "TCP")
                        endpoints.append(Endpoint(address, port.get("port") or 0, protocol, ready))
        return cls({name: tuple(endpoints) for name, endpoints in found.items()}, tuple(changing))

    def ready(self, service: Service) -> tuple[Endpoint, ...]:
        """The endpoints of a Service that traffic is sent to."""
        return tuple(e for e in self.by_service.get(str(service), ()) if e.ready)


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
