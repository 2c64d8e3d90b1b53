"""Which addresses stand for something in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import EndpointSlices, Services
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
        found, node_ports = [], []
        for service in () if isinstance(services, CannotRead) else services.items:
            ready = () if isinstance(endpoints, CannotRead) else endpoints.ready(service)
            ends = tuple(
                (end.address, end.protocol.lower(), end.port, port.port)
                for port in service.ports for end in ready
                if port.protocol == end.protocol and (len(service.ports) == 1 or port.name == end.port_name)
            )  # fmt: skip
            found.append((service.cluster_ip, ends))
            node_ports += [(p.node_port, p.protocol.lower()) for p in service.ports if p.node_port and ends]
        known = () if isinstance(nodes, CannotRead) else nodes.items
        return cls(
            tuple(found),
            tuple(address for node in known for address in node.addresses),
            tuple(dict.fromkeys(cidr for node in known for cidr in node.pod_cidrs)),
            tuple(node_ports),
            tuple(_hosts(known, () if isinstance(pods, CannotRead) else pods.items)),
        )


def _hosts(nodes: Iterable[Node], pods: Iterable[Pod]) -> Iterator[tuple[str, str]]:
    by_name = {node.name: node.addresses for node in nodes}
    for pod in pods:
        for address in () if pod.host_network else pod.addresses:
            if host := next((h for h in by_name.get(pod.node, ()) if (":" in h) == (":" in address)), ""):
                yield address, host
