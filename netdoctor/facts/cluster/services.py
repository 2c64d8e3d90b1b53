"""Services and what stands behind them, as kube-proxy is told them: one list request each."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts.node.iptables import Iptables
from netdoctor.system.clock import utc
from netdoctor.system.kube_api import KubeApi

POSTGRES_PORT = 5432
SYNC_SECONDS = 3.0  # kube-proxy writes its rules about once a second
CHANGED = "endpoints.kubernetes.io/last-change-trigger-time"
OTHER_PROXY = "service.kubernetes.io/service-proxy-name"  # its label: kube-proxy leaves this Service to another proxy


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service."""

    name: str
    protocol: str
    port: int
    node_port: int  # 0: none
    target: str = ""  # the pod's port, by number or name; "": the same number

    def __str__(self) -> str:
        """port/protocol, as kubectl writes it."""
        return f"{self.port}/{self.protocol.lower()}"

    @property
    def is_postgres(self) -> bool:
        """Whether Postgres is offered here: at 5432, or under its own name (postgres-metrics is another thing)."""
        return self.port == POSTGRES_PORT or re.fullmatch(r"(tcp-|tls-)?postgres(ql)?", self.name) is not None


@dataclass(frozen=True, slots=True)
class Service:
    """A Service with a ClusterIP."""

    namespace: str
    name: str
    kind: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str]
    node_local: bool = False  # internalTrafficPolicy Local: translated on nodes with an endpoint of it
    node_local_outside: bool = False  # externalTrafficPolicy Local: the same for NodePorts asked from outside
    other_proxy: bool = False  # left to another proxy than kube-proxy
    second_ip: str = ""  # its ClusterIP of the other family, where it has one of each
    outside: tuple[str, ...] = ()  # its external addresses, and those that a load balancer has: any, a node's too

    def __str__(self) -> str:
        """namespace/name, as kubectl and kube-proxy's comments write it."""
        return f"{self.namespace}/{self.name}"

    def in_second_family(self) -> Service:
        """The same, by its ClusterIP of the other family."""
        return replace(self, cluster_ip=self.second_ip, second_ip=self.cluster_ip)

    def target_of(self, protocol: str, port: int) -> str:
        """The pods' port behind one of its own, by number or name; "" where it is the same number."""
        return next((p.target for p in self.ports if (p.protocol, p.port) == (protocol, port)), "")


@dataclass(frozen=True, slots=True)
class Services:
    """Services"""

    items: tuple[Service, ...]
    source: str  # where they were read
    changing: tuple[str, ...] = ()  # those that changed so lately that kube-proxy may not have followed
    headless: tuple[Service, ...] = ()  # those without a ClusterIP: headless ones, and other names for a host

    @classmethod
    def collect(cls, api: KubeApi | CannotRead, iptables: Iptables | CannotRead) -> Services:
        """All Services that have a ClusterIP; without the API server, those in the comments of kube-proxy's rules."""
        if not isinstance(api, CannotRead):
            return cls._of_api(api)
        if isinstance(iptables, CannotRead):
            raise api
        found = services_in_rules(iptables.nft.rules("nat", "KUBE-SERVICES"))
        if not found:
            raise api
        return cls(found, "the comments in iptables nat KUBE-SERVICES")

    @classmethod
    def _of_api(cls, api: KubeApi) -> Services:
        listed = api.get("/api/v1/services")["items"]
        items = [i for i in listed if i["spec"].get("clusterIP", "None") != "None"]
        others = [i for i in listed if i["spec"].get("clusterIP", "None") == "None"]
        changing = tuple(str(service_of(i)) for i in items if _just_changed(i["metadata"]))
        return cls(tuple(map(service_of, items)), api.server, changing, tuple(map(service_of, others)))

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
        return tuple(s for s in self.items if any(p.is_postgres for p in s.ports))


def service_of(item: Mapping[str, Any]) -> Service:
    """A Service from the API's object."""
    spec = item["spec"]
    ports = tuple(
        ServicePort(
            p.get("name", ""), p.get("protocol", "TCP"), p["port"], p.get("nodePort", 0), str(p.get("targetPort") or "")
        )
        for p in spec.get("ports", ())
    )
    ingress = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    outside = (*(spec.get("externalIPs") or ()), *(each["ip"] for each in ingress if each.get("ip")))
    meta, kind, selector = item["metadata"], spec.get("type", ""), spec.get("selector", {})
    return Service(
        namespace=meta["namespace"],
        name=meta["name"],
        kind=kind,
        cluster_ip=spec.get("clusterIP", ""),
        second_ip=next(iter((spec.get("clusterIPs") or ())[1:2]), ""),
        ports=ports,
        selector=selector,
        node_local=spec.get("internalTrafficPolicy") == "Local",
        node_local_outside=spec.get("externalTrafficPolicy") == "Local",
        other_proxy=OTHER_PROXY in (meta.get("labels") or {}),
        outside=tuple(dict.fromkeys(outside)),
    )


def _just_changed(metadata: Mapping[str, Any]) -> bool:
    """Whether the object was made or changed so lately that kube-proxy may not have followed."""
    notes, fields = metadata.get("annotations") or {}, metadata.get("managedFields") or ()
    times = [notes.get(CHANGED), metadata.get("creationTimestamp"), *(each.get("time") for each in fields)]
    return max(str(each or "") for each in times) > utc(time.time() - SYNC_SECONDS)


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
    port_name: str = ""
    node: str = ""


def _endpoints_of(item: Mapping[str, Any]) -> Iterator[Endpoint]:
    """The endpoints of one EndpointSlice, from the API's object: each address with each port that has a number."""
    ports = [port for port in item.get("ports") or () if port.get("port")]
    for endpoint in item.get("endpoints") or ():
        ready = endpoint.get("conditions", {}).get("ready", True) is not False
        node = endpoint.get("nodeName") or ""
        for port in ports:
            for address in endpoint.get("addresses", ()):
                protocol, called = port.get("protocol", "TCP"), port.get("name") or ""
                yield Endpoint(address, port["port"], protocol, ready, called, node)


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
        for item in api.get("/apis/discovery.k8s.io/v1/endpointslices")["items"]:
            if item.get("addressType") == "FQDN":  # kube-proxy reads none of these
                continue
            service = item["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
            name = f"{item['metadata']['namespace']}/{service}"
            found.setdefault(name, []).extend(_endpoints_of(item))
            if _just_changed(item["metadata"]):
                changing.append(name)
        return cls({name: tuple(endpoints) for name, endpoints in found.items()}, tuple(changing))

    def ready(self, service: Service) -> tuple[Endpoint, ...]:
        """The endpoints of a Service that traffic is sent to."""
        return tuple(e for e in self.by_service.get(str(service), ()) if e.ready)

    def behind(self, service: Service, port: ServicePort) -> tuple[Endpoint, ...]:
        """The endpoints that traffic for one port of a Service's ClusterIP is sent to."""
        ipv6 = ":" in service.cluster_ip
        known = self.ready(service)
        return tuple(
            e for e in known if (e.port_name, e.protocol, ":" in e.address) == (port.name, port.protocol, ipv6)
        )
