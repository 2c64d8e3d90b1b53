"""Which ports of ClusterIPs and NodePorts kube-proxy's rules translate, in whichever way it writes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import SYNC_SECONDS, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.node.kube_proxy_rules import Led, Port, in_iptables, in_nftables
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi

Wanted = tuple[tuple[Service, ServicePort], ...]
Stale = tuple[Service, ServicePort, str]  # a Service's port, and an endpoint that rules lead it to


@dataclass(frozen=True, slots=True)
class Translated:
    """ClusterIPs and NodePorts that kube-proxy translates"""

    known: bool  # whether this kube-proxy's rules can be read here
    ports: tuple[Port, ...]
    entered: bool  # whether packets are led into these rules
    source: str  # where the rules stand
    node_ports: tuple[tuple[str, int], ...] = ()  # protocol, number
    wanted: Wanted = ()  # ports of ClusterIPs that it has to translate on this node
    wanted_node_ports: Wanted = ()
    ends: tuple[tuple[str, str, int, str], ...] = ()  # a ClusterIP's port, and an endpoint that rules lead it to
    stale: tuple[Stale, ...] = ()  # of those: what is not an endpoint of the Service

    @classmethod
    def collect(
        cls,
        host: Host,
        kube_proxy: KubeProxy,
        iptables: Iptables,
        services: Services,
        endpoints: EndpointSlices,
        this: ThisNode,
        api: KubeApi,
    ) -> Translated:
        """In mode iptables from table nat, in mode nftables from table `ip kube-proxy`.

        What is missing is looked for once more, in what the API server says now; and again three seconds later where
        its Service or EndpointSlice has just changed: then kube-proxy must have followed. Raises CannotRead.
        """
        found = cls.read(host, kube_proxy.mode, iptables).asked(services, endpoints, this.name)
        for last in (False, True):
            if not found.known or not found._differing:
                break
            services, endpoints = Services.collect(api, iptables), EndpointSlices.collect(api)
            changing = {*services.changing, *endpoints.changing}
            found = cls.read(host, kube_proxy.mode).asked(services, endpoints, this.name)
            if last or changing.isdisjoint(map(str, found._differing)):
                break
            time.sleep(SYNC_SECONDS)
        if kube_proxy.mode == "iptables" and (found.missing or found.missing_node_ports or not found.entered):
            iptables.insist()
        return found

    @classmethod
    def read(cls, host: Host, mode: str, iptables: Iptables | None = None) -> Translated:
        """What the rules of kube-proxy in this mode translate now. Raises CannotRead."""
        if mode == "iptables":
            return cls._of(in_iptables(iptables or Iptables.collect(host)), "iptables nat KUBE-SERVICES")
        if mode == "nftables":
            try:
                text = host.run(["nft", "list", "table", "ip", "kube-proxy"], timeout=5)
            except CannotRead as error:
                if error.why is not Why.ABSENT:
                    raise
                text = ""
            return cls._of(in_nftables(text), "nft table ip kube-proxy")
        return cls(False, (), False, "")

    @classmethod
    def _of(cls, led: Led, source: str) -> Translated:
        return cls(True, led.ports, led.entered, source, led.node_ports, ends=led.ends)

    def asked(self, services: Services, endpoints: EndpointSlices, node: str) -> Translated:
        """The same, with what kube-proxy has to translate on this node: IPv4, with a ready endpoint."""
        wanted, served = [], []
        for service in services.items:
            if service.other_proxy or ":" in service.cluster_ip:
                continue
            for port in service.ports:
                ends = endpoints.behind(service, port)
                if not ends:
                    continue
                served.append((service, port))
                if not service.node_local or any(end.node == node for end in ends):
                    wanted.append((service, port))
        node_ports = tuple((service, port) for service, port in served if port.node_port)
        stale = tuple(self._stale(served, endpoints))
        return replace(self, wanted=tuple(wanted), wanted_node_ports=node_ports, stale=stale)

    def _stale(self, served: list[tuple[Service, ServicePort]], endpoints: EndpointSlices) -> Iterator[Stale]:
        """Where the rules lead these ports, and what is not an endpoint of the Service, ready or not."""
        led = self._led_to()
        for service, port in served:
            known = {f"{end.address}:{end.port}" for end in endpoints.by_service.get(str(service), ())}
            for end in led.get((service.cluster_ip, port.protocol.lower(), port.port), ()):
                if end not in known:
                    yield service, port, end

    @property
    def _differing(self) -> list[Service]:
        """The Services whose rules are missing or stale."""
        late = [service for service, _ in (*self.missing, *self.missing_node_ports)]
        return [*late, *(service for service, _, _ in self.stale)]

    def _led_to(self) -> dict[Port, list[str]]:
        """Where each port of a ClusterIP is led: there may be ten thousand of them."""
        found: dict[Port, list[str]] = {}
        for address, protocol, number, end in self.ends:
            found.setdefault((address, protocol, number), []).append(end)
        return found

    @property
    def missing(self) -> Wanted:
        """The ports of ClusterIPs that are not translated."""
        there = {*self.ports}
        return tuple((s, p) for s, p in self.wanted if (s.cluster_ip, p.protocol.lower(), p.port) not in there)

    @property
    def missing_node_ports(self) -> Wanted:
        """The NodePorts that are not translated."""
        there = {*self.node_ports}
        return tuple((s, p) for s, p in self.wanted_node_ports if (p.protocol.lower(), p.node_port) not in there)
