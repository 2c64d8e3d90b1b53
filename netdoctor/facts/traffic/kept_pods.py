"""Which of the failed connections of pods no NetworkPolicy allows, by the objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.network_policies import NetworkPolicies, Place, Policy
from netdoctor.facts.traffic.forbidden import place_of
from netdoctor.facts.traffic.names import SERVICE_NAME, ClusterDns
from netdoctor.facts.traffic.policy_answers import places_behind
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.facts.traffic.vantage import HOST, VantagePoint, VantagePoints
from netdoctor.system.traffic import Reply


@dataclass(frozen=True, slots=True)
class KeptPod:
    """A connection of a pod's that failed, and the policies that do not allow it."""

    vantage: str
    service: str  # namespace/name
    protocol: str  # TCP or UDP
    port: int  # of the Service
    reply: Reply
    policies: tuple[str, ...]  # namespace/name; none where the connection is allowed


@dataclass(frozen=True, slots=True)
class KeptPods:
    """failed connections that NetworkPolicies forbid"""

    derived: ClassVar[bool] = True
    added_later: ClassVar[bool] = True

    items: tuple[KeptPod, ...]

    @classmethod
    def collect(
        cls,
        policies: NetworkPolicies | CannotRead,
        points: VantagePoints,
        services: Services,
        pods: Pods,
        names: ClusterDns | CannotRead,
        postgres: Postgres | CannotRead,
    ) -> KeptPods:
        """Each failed query for a Service's name and each failed connection to Postgres, with what forbids it."""
        failed = list(_failed(services, names, postgres))
        if not failed:
            return cls(())
        if isinstance(policies, CannotRead):
            raise policies
        if not policies.items:
            return cls(())
        by_name = {point.name: point for point in points.points}
        found = []
        for vantage, service, protocol, port, reply in failed:
            point = by_name.get(vantage)
            if point:
                keeping = _keeping(policies, point, places_behind(services, pods, service, protocol, port), protocol)
                # a database that lets in its own applications alone keeps out strangers on purpose
                if service != str(services.cluster_dns) and point.namespace not in {each.namespace for each in keeping}:
                    keeping = []
                why = tuple(dict.fromkeys(map(str, keeping)))
                found.append(KeptPod(vantage, service, protocol, port, reply, why))
        return cls(tuple(found))


def _keeping(
    policies: NetworkPolicies, point: VantagePoint, places: list[tuple[Place, int]], protocol: str
) -> list[Policy]:
    """The policies that forbid a pod all of these places; none where it may ask one of them."""
    source = place_of(point)
    found: list[Policy] = []
    for place, number in places:
        allowed, isolating = policies.allows(source, place, protocol, number)
        if allowed:
            return []
        found += isolating
    return found


def _failed(
    services: Services, names: ClusterDns | CannotRead, postgres: Postgres | CannotRead
) -> Iterator[tuple[str, str, str, int, Reply]]:
    """Vantage point, Service, protocol, port and reply of what got no answer from a Service."""
    dns = services.cluster_dns
    if dns and not isinstance(names, CannotRead):
        for asked in names.of(SERVICE_NAME):
            if _is_lost(asked.vantage, asked.reply) and asked.server == dns.cluster_ip:
                yield asked.vantage, str(dns), asked.transport.upper(), 53, asked.reply
    if not isinstance(postgres, CannotRead):
        for step in postgres.of(TCP):
            if step.reply and _is_lost(step.vantage, step.reply):
                yield step.vantage, step.service, "TCP", step.port, step.reply


def _is_lost(vantage: str, reply: Reply) -> bool:
    """Whether a pod got no answer."""
    return vantage != HOST and not reply.arrived
