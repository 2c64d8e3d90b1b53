"""What resolvers answer: the cluster DNS for a Service and for an outside name, and each upstream of the Corefile."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Upstream, Upstreams
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.traffic.forbidden import AskedConnection, Forbidden
from netdoctor.facts.traffic.vantage import HOST, NEW, VantagePoint, VantagePoints, pod_of
from netdoctor.model import Evidence
from netdoctor.system.traffic import Reply, ask_all, ask_dns, ask_tcp
from netdoctor.values import Values

SECONDS = 1.5
# CoreDNS gives an upstream 2 s before it tries the next and then says SERVFAIL (plugin/forward/proxy.go)
OUTSIDE_SECONDS = 2.6
SERVICE_NAME, OUTSIDE_NAME = "Service name", "outside name"


def uncached_name() -> str:
    """An outside name that no cache can hold; whether it exists does not matter: NXDOMAIN is an answer too."""
    return f"p{secrets.randbelow(10**12)}.example.com"


@dataclass(frozen=True, slots=True)
class Lookup:
    """One DNS question and its reply."""

    vantage: str
    kind: str  # SERVICE_NAME or OUTSIDE_NAME
    server: str
    name: str
    transport: str  # udp or tcp
    reply: Reply

    def __str__(self) -> str:
        """As evidence names it."""
        return f"{self.vantage} -> {self.server}:53/{self.transport} {self.name}"

    def evidence(self, expected: str) -> Evidence:
        """How it ended, as evidence."""
        pod, answer = pod_of(self.vantage), str(self.reply.answer)
        data = Values(pod=pod, address=self.server, port=53, protocol=self.transport, name=self.name, answer=answer)
        return Evidence(str(self), str(self.reply), expected, data)


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """answers of the cluster DNS"""

    server: str
    lookups: tuple[Lookup, ...]

    @classmethod
    def collect(cls, points: VantagePoints, services: Services | CannotRead) -> ClusterDns:
        """Ask for a Service's name and an outside one from every pod, over UDP, and from one over TCP too."""
        server = cluster_dns_address(points, None if isinstance(services, CannotRead) else services)
        asked: list[tuple[VantagePoint, str, str, bool]] = []
        for point in points.pods:
            if point.is_coredns:
                continue
            service = f"kubernetes.default.svc.{point.cluster_domain}."
            asked.append((point, SERVICE_NAME, service, False))
            asked.append((point, OUTSIDE_NAME, uncached_name(), False))
            if point is points.pods[0]:
                asked.append((point, SERVICE_NAME, service, True))
        is_alive = Event()
        questions = [
            (point.netns, _ask(server, name, kind, over_tcp, is_alive)) for point, kind, name, over_tcp in asked
        ]
        replies = ask_all(questions, OUTSIDE_SECONDS)
        return cls(
            server,
            tuple(
                Lookup(point.name, kind, server, name, "tcp" if over_tcp else "udp", reply)
                for (point, kind, name, over_tcp), reply in zip(asked, replies, strict=True)
            ),
        )

    def of(self, kind: str) -> tuple[Lookup, ...]:
        """The lookups of this kind."""
        return tuple(lookup for lookup in self.lookups if lookup.kind == kind)


def _ask(server: str, name: str, kind: str, over_tcp: bool, is_alive: Event) -> Callable[[], Reply]:
    """The question. An outside name is waited for longer where the server has answered anything (`is_alive`)."""

    def ask() -> Reply:
        reply = ask_dns(server, name, SECONDS, over_tcp=over_tcp, longer=longer)
        if reply.answered:
            is_alive.set()
        return reply

    def longer() -> float:
        return OUTSIDE_SECONDS - SECONDS if kind == OUTSIDE_NAME and is_alive.is_set() else 0.0

    return ask


def cluster_dns_address(points: VantagePoints, services: Services | None) -> str:
    """The address that pods have in resolv.conf, the test pod's first; else the DNS Service's. Raises CannotRead."""
    for point in sorted(points.pods, key=lambda p: p.kind != NEW):
        # CoreDNS, and pods with dnsPolicy Default, have the node's resolvers
        if point.nameservers and not point.is_coredns and any(s.startswith("svc.") for s in point.search):
            return point.nameservers[0]
    service = services.cluster_dns if services else None
    if service is None:
        raise CannotRead("cluster DNS", "no pod's resolv.conf and no Service names its address")
    return service.cluster_ip


@dataclass(frozen=True, slots=True)
class UpstreamLookup:
    """A question to one upstream resolver, and its reply."""

    upstream: Upstream
    vantage: str
    transport: str
    reply: Reply

    def __str__(self) -> str:
        """As evidence names it."""
        return f"{self.vantage} -> {self.upstream}/{self.transport}"

    def evidence(self, expected: str) -> Evidence:
        """How it ended, as evidence."""
        pod, to, answer = pod_of(self.vantage), self.upstream, str(self.reply.answer)
        data = Values(pod=pod, address=to.address, port=to.port, protocol=self.transport, answer=answer)
        return Evidence(str(self), str(self.reply), expected, data)


@dataclass(frozen=True, slots=True)
class UpstreamAnswers:
    """answers of each upstream resolver"""

    lookups: tuple[UpstreamLookup, ...]

    @classmethod
    def collect(cls, points: VantagePoints, upstreams: Upstreams, forbidden: Forbidden) -> UpstreamAnswers:
        """Ask each upstream from wherever it can be asked, over UDP; over TCP from host, test pod and CoreDNS.

        What is lost as NetworkPolicies want it is left out.
        """
        asked = questions(points, upstreams)
        replies = ask_all([(point.netns, _ask_upstream(u, over_tcp)) for point, u, over_tcp in asked], SECONDS)
        lookups, connections = [], []
        for (point, upstream, over_tcp), reply in zip(asked, replies, strict=True):
            transport = "tcp" if over_tcp else "udp"
            lookups.append(UpstreamLookup(upstream, point.name, transport, reply))
            connections.append(AskedConnection(point, upstream.address, transport, upstream.port, reply.answered))
        on_purpose = forbidden.on_purpose(connections)
        return cls(tuple(lookup for lookup, is_lost_so in zip(lookups, on_purpose, strict=True) if not is_lost_so))

    def from_host(self) -> tuple[UpstreamLookup, ...]:
        """The lookups from the host itself."""
        return tuple(lookup for lookup in self.lookups if lookup.vantage == HOST)

    def from_pods(self) -> tuple[UpstreamLookup, ...]:
        """The lookups from pods."""
        return tuple(lookup for lookup in self.lookups if lookup.vantage != HOST)

    def alive(self) -> frozenset[Upstream]:
        """The upstreams that answered somebody."""
        return frozenset(lookup.upstream for lookup in self.lookups if lookup.reply.answered)


def can_ask(point: VantagePoint, upstream: Upstream) -> bool:
    """Whether a question can go there: to CoreDNS's own loopback, or from an address of the upstream's family."""
    if upstream.on_loopback:
        return point.is_coredns
    return point.kind == HOST or bool(point.address_towards(upstream.address))


def questions(points: VantagePoints, upstreams: Upstreams) -> list[tuple[VantagePoint, Upstream, bool]]:
    """Who is to ask which upstream, and whether over TCP."""
    asked: list[tuple[VantagePoint, Upstream, bool]] = []
    for upstream in upstreams.items:
        for point in points.points:
            if not can_ask(point, upstream):
                continue
            if not upstream.tls:
                asked.append((point, upstream, False))
            if upstream.tls or point.is_coredns or point.kind in (HOST, NEW):
                asked.append((point, upstream, True))
    return asked


def _ask_upstream(upstream: Upstream, over_tcp: bool) -> Callable[[], Reply]:
    if upstream.tls:
        return lambda: ask_tcp(upstream.address, upstream.port, SECONDS)
    return lambda: ask_dns(upstream.address, uncached_name(), SECONDS, over_tcp=over_tcp, port=upstream.port)
