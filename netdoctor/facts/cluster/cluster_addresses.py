"""Which addresses stand for something in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.workloads import Node, Nodes, Pod, Pods
from netdoctor.twin.addresses import Addresses


@dataclass(frozen=True, slots=True)
class ClusterAddresses(Addresses):
    """addresses of the cluster"""

    derived: ClassVar[bool] = True

    @classmethod
    def collect(
        cls,
        services: Services | CannotRead,
        endpoints: EndpointSlices | CannotRead,
        nodes: Nodes | CannotRead,
        pods: Pods | CannotRead,
    ) -> ClusterAddresses:
        """From the API server's objects; what cannot be read is left out."""
        known_nodes = () if isinstance(nodes, CannotRead) else nodes.items
        known_pods = () if isinstance(pods, CannotRead) else pods.items
        found, node_ports = [], []
        for service in () if isinstance(services, CannotRead) else services.items:
            ends = _ends(service, endpoints)
            found.append((service.cluster_ip, ends))
            if service.second_ip:
                found.append((service.second_ip, _ends(service.in_second_family(), endpoints)))
            node_ports += _node_ports(service) if ends else []
        return cls(
            tuple(found),
            tuple(address for node in known_nodes for address in node.addresses),
            tuple(dict.fromkeys(cidr for node in known_nodes for cidr in node.pod_cidrs)),
            tuple(node_ports),
            tuple(_hosts(known_nodes, known_pods)),
        )


def _node_ports(service: Service) -> list[tuple[int, str]]:
    return [(port.node_port, port.protocol.lower()) for port in service.ports if port.node_port]


def _ends(service: Service, endpoints: EndpointSlices | CannotRead) -> tuple[tuple[str, str, int, int], ...]:
    """Address, protocol and port of each ready endpoint, with the port of the Service that leads to it."""
    ready = () if isinstance(endpoints, CannotRead) else endpoints.ready(service)
    ends = []
    for port in service.ports:
        for end in ready:
            is_its_port = len(service.ports) == 1 or port.name == end.port_name
            of_its_family = (":" in end.address) == (":" in service.cluster_ip)
            if port.protocol == end.protocol and is_its_port and of_its_family:
                ends.append((end.address, end.protocol.lower(), end.port, port.port))
    return tuple(ends)


def _hosts(nodes: Iterable[Node], pods: Iterable[Pod]) -> Iterator[tuple[str, str]]:
    by_name = {node.name: node.addresses for node in nodes}
    for pod in pods:
        for address in () if pod.host_network else pod.addresses:
            if host := next((h for h in by_name.get(pod.node, ()) if (":" in h) == (":" in address)), ""):
                yield address, host
