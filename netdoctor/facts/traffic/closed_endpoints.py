"""Endpoints of Services that refuse connections: what listens in their pods, and at which addresses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.traffic.names import ClusterDns
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.facts.traffic.reach import CLUSTER_IP, Reach
from netdoctor.facts.traffic.service_reach import SERVICE, ServiceReach
from netdoctor.facts.traffic.vantage import NEW, VantagePoint, VantagePoints
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_tcp, in_namespace
from netdoctor.twin.capture import listeners

SECONDS = 1.2  # as for every flow between pods
SHOWN = 2  # endpoints of a Service that are asked


@dataclass(frozen=True, slots=True)
class ClosedEndpoint:
    """An endpoint at which a ready pod refuses connections."""

    service: str
    service_port: str  # 53/tcp
    pod: str  # namespace/name, "" where the address is no pod's that we know of
    address: str
    port: int
    asked_from: str
    reply: Reply
    listening: tuple[tuple[str, int], ...] | None  # addresses and TCP ports in its namespace; None: not on this node
    declared: tuple[int, ...]  # TCP ports of its containers


@dataclass(frozen=True, slots=True)
class ClosedEndpoints:
    """endpoints that refuse"""

    added_later: ClassVar[bool] = True

    items: tuple[ClosedEndpoint, ...]

    @classmethod
    def collect(
        cls,
        points: VantagePoints,
        services: Services,
        endpoints: EndpointSlices,
        pods: Pods,
        attachments: Attachments,
        reach: Reach,
        names: ClusterDns | CannotRead,
        postgres: Postgres | CannotRead,
        by_services: ServiceReach | CannotRead,
    ) -> ClosedEndpoints:
        """Ask the endpoints of each Service that refused, from a pod; nothing is asked where none did."""
        refused = set(_refused(reach, names, postgres, by_services))
        of_refused = [service for service in services.items if service.cluster_ip in refused]
        by_address = {address: pod for pod in pods.items for address in pod.addresses if not pod.host_network}
        questions = chain.from_iterable(_questions(service, endpoints, points) for service in of_refused)
        wanted = list(_to_those_that_run(questions, by_address))
        replies = ask_all([(asked.point.netns, _ask(asked.endpoint)) for asked in wanted], SECONDS)
        namespaces = {address: each.netns for each in attachments.pods for address in each.addresses}
        closed = [
            _closed(asked, reply, by_address, namespaces)
            for asked, reply in zip(wanted, replies, strict=True)
            if reply.answer is Answer.REFUSED
        ]
        return cls(tuple(closed))


@dataclass(frozen=True, slots=True)
class _Question:
    """One endpoint, and who asks it."""

    point: VantagePoint
    service: Service
    port: ServicePort
    endpoint: Endpoint


def _questions(service: Service, endpoints: EndpointSlices, points: VantagePoints) -> Iterator[_Question]:
    """Some endpoints of each TCP port, where there is a pod to ask from."""
    for port in service.ports:
        if port.protocol != "TCP":
            continue
        for endpoint in endpoints.behind(service, port)[:SHOWN]:
            if point := _asking(points, endpoint):
                yield _Question(point, service, port, endpoint)


def _to_those_that_run(questions: Iterable[_Question], by_address: Mapping[str, Pod]) -> Iterator[_Question]:
    """Those to pods that stay up: between two runs of its program nothing listens in a pod, at whichever port."""
    now = time.time()
    for question in questions:
        pod = by_address.get(question.endpoint.address)
        if pod is None or not pod.keeps_ending(now):
            yield question


def _refused(
    reach: Reach,
    names: ClusterDns | CannotRead,
    postgres: Postgres | CannotRead,
    by_services: ServiceReach | CannotRead,
) -> Iterator[str]:
    """The ClusterIPs at which connections or questions were refused."""
    for address, reply in _replies(reach, names, postgres, by_services):
        if reply.answer is Answer.REFUSED:
            yield address


def _replies(
    reach: Reach,
    names: ClusterDns | CannotRead,
    postgres: Postgres | CannotRead,
    by_services: ServiceReach | CannotRead,
) -> Iterator[tuple[str, Reply]]:
    """ClusterIPs that were asked, with each reply."""
    flows = reach.of(CLUSTER_IP)
    if not isinstance(by_services, CannotRead):
        flows += by_services.of(SERVICE)
    yield from ((flow.address, flow.reply) for flow in flows)
    if not isinstance(names, CannotRead):
        yield from ((lookup.server, lookup.reply) for lookup in names.lookups)
    if not isinstance(postgres, CannotRead):
        yield from ((step.address, step.reply) for step in postgres.of(TCP) if step.reply)


def _asking(points: VantagePoints, endpoint: Endpoint) -> VantagePoint | None:
    others = [point for point in points.pods if point.address != endpoint.address]
    return min(others, key=lambda point: point.kind != NEW, default=None)


def _ask(endpoint: Endpoint) -> Callable[[], Reply]:
    return lambda: ask_tcp(endpoint.address, endpoint.port, SECONDS)


def _closed(
    asked: _Question, reply: Reply, by_address: Mapping[str, Pod], namespaces: Mapping[str, str]
) -> ClosedEndpoint:
    address = asked.endpoint.address
    pod = by_address.get(address)
    declared = [number for _, protocol, number in pod.ports if protocol == "TCP"] if pod else []
    return ClosedEndpoint(
        service=str(asked.service),
        service_port=str(asked.port),
        pod=f"{pod.namespace}/{pod.name}" if pod else "",
        address=address,
        port=asked.endpoint.port,
        asked_from=asked.point.name,
        reply=reply,
        listening=_listening(namespaces.get(address, "")),
        declared=tuple(declared),
    )


def _listening(netns: str) -> tuple[tuple[str, int], ...] | None:
    if not netns:
        return None
    try:
        found = in_namespace(netns, listeners).result()
    except (CannotRead, OSError):
        return None
    return tuple(sorted((each.address, each.port) for each in found if each.protocol == "tcp"))
