"""What the cluster's parts say of the same thing: which addresses are pods', which domain is the cluster's.

Each part is configured on its own, and nothing in Kubernetes holds one against the other. `relations` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.api_server_here import ApiServerHere
from netdoctor.facts.cluster.coredns import Corefile, Upstreams
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import LocalAddresses, ThisNode
from netdoctor.facts.cluster.workloads import Nodes, Pod, Pods
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.node.kube_proxy_rules import pod_networks_of_kube_proxy
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.vantage import VantagePoints

POD_INTERFACE = "eth0"  # of a pod's first network: the kubelet's own


class About(StrEnum):
    """What a claim is about, in the words of evidence."""

    DNS_ZONE = "cluster domain of CoreDNS"
    SEARCHED_DOMAIN = "cluster domain of a pod"
    POD_RANGE = "pod network"
    POD_ADDRESS = "address of a pod"
    NODE_RANGE = "podCIDR of this node"
    PROXY_RANGE = "pod network of kube-proxy"
    CNI_RANGE = "network of the CNI configuration"
    CNI_BRIDGE = "bridge of the CNI configuration"
    OWN_POD_ADDRESS = "address of a pod on this node"
    OWN_POD_BRIDGE = "bridge that a pod was connected to"
    SERVICE_ADDRESS = "ClusterIP"
    SERVICE_RANGE = "network of Services"
    RESOLVER = "resolver"
    GATEWAY = "gateway of the default route"
    ADVERTISED = "advertised address of the API server"
    API_ENDPOINT = "endpoint of the API server's Service"
    LOCAL_ADDRESS = "address of this machine"
    MACHINE_ADDRESS = "address of this machine or of a node"
    OWN_NODE_ADDRESS = "InternalIP of this node"
    OTHER_NODE_ADDRESS = "InternalIP of another node"
    NODE_ADDRESS = "address of a node"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one part of the cluster says."""

    about: About
    value: str  # an address, a network or a name
    source: str  # who says it, as evidence names it


@dataclass(frozen=True, slots=True)
class Claims:
    """what the cluster's parts say of addresses and names"""

    derived: ClassVar[bool] = True
    items: tuple[Claim, ...]

    @classmethod
    def collect(
        cls,
        corefile: Corefile | CannotRead,
        points: VantagePoints | CannotRead,
        cni: CniConfig | CannotRead,
        nodes: Nodes | CannotRead,
        pods: Pods | CannotRead,
        services: Services | CannotRead,
        upstreams: Upstreams | CannotRead,
        links: Links | CannotRead,
        attachments: Attachments | CannotRead,
        this: ThisNode | CannotRead,
        iptables: Iptables | CannotRead,
        local: LocalAddresses | CannotRead,
        api_here: ApiServerHere | CannotRead,
        endpoints: EndpointSlices | CannotRead,
    ) -> Claims:
        """Everything that could be read; what could not says nothing."""
        found: list[Claim] = []
        if not isinstance(corefile, CannotRead):
            found += _all(About.DNS_ZONE, corefile.zones, "plugin kubernetes of the Corefile")
        if not isinstance(iptables, CannotRead):
            found += _all(About.PROXY_RANGE, pod_networks_of_kube_proxy(iptables.nft), "kube-proxy's rules in iptables")
        if not isinstance(local, CannotRead):
            found += _of_machines(local, nodes)
            found += _known_to_the_cluster(api_here, endpoints, nodes, this)
        found += _of_configuration(cni)
        found += _of_nodes(nodes, this)
        found += _of_pods(pods)
        found += _of_own_pods(pods, this, attachments)
        found += _needed_by_pods(points, services, upstreams, links)
        return cls(tuple(found))

    def of(self, about: About) -> tuple[Claim, ...]:
        """Those about one thing."""
        return tuple(claim for claim in self.items if claim.about is about)


def _all(about: About, values: Iterable[str], source: str) -> list[Claim]:
    return [Claim(about, value, source) for value in values]


def _needed_by_pods(
    points: VantagePoints | CannotRead,
    services: Services | CannotRead,
    upstreams: Upstreams | CannotRead,
    links: Links | CannotRead,
) -> Iterator[Claim]:
    """What pods search and send packets to: the cluster's domain, ClusterIPs, resolvers and gateways."""
    if not isinstance(points, CannotRead):
        yield from _searched(points)
    if not isinstance(services, CannotRead):
        for service in services.items:
            yield Claim(About.SERVICE_ADDRESS, service.cluster_ip, f"Service {service}")
    if not isinstance(upstreams, CannotRead):
        addresses = [each.address for each in upstreams.items if not each.on_loopback]
        yield from _all(About.RESOLVER, addresses, upstreams.source)
    if not isinstance(links, CannotRead):
        for gateway, route in links.default_gateways:
            yield Claim(About.GATEWAY, gateway, f"route {route}")


def _searched(points: VantagePoints) -> Iterator[Claim]:
    """The cluster's domain, from the search list of each pod that asks the cluster DNS."""
    for point in points.pods:
        if not point.is_coredns and any(domain.startswith("svc.") for domain in point.search):
            yield Claim(About.SEARCHED_DOMAIN, point.cluster_domain, point.name)


def _of_configuration(cni: CniConfig | CannotRead) -> Iterator[Claim]:
    if isinstance(cni, CannotRead):
        return
    for about in (About.POD_RANGE, About.CNI_RANGE):
        yield from _all(about, cni.pod_networks, cni.path)
    if cni.bridge:
        yield Claim(About.CNI_BRIDGE, cni.bridge, cni.path)


def _is_connected_here(pod: Pod, this: ThisNode) -> bool:
    return pod.node == this.name and pod.phase == "Running" and not pod.host_network and not pod.leaving


def _of_own_pods(
    pods: Pods | CannotRead, this: ThisNode | CannotRead, attachments: Attachments | CannotRead
) -> Iterator[Claim]:
    """Where the pods of this node are: their addresses, and the bridges that libcni's cache knows of."""
    if isinstance(pods, CannotRead) or isinstance(this, CannotRead):
        return
    cached = () if isinstance(attachments, CannotRead) else attachments.pods
    bridges = {each.uid: each.bridge for each in cached if each.bridge and each.interface == POD_INTERFACE}
    for pod in (pod for pod in pods.items if _is_connected_here(pod, this)):
        name = f"{pod.namespace}/{pod.name}"
        yield from _all(About.OWN_POD_ADDRESS, pod.addresses, name)
        if pod.uid in bridges:
            yield Claim(About.OWN_POD_BRIDGE, bridges[pod.uid], name)


def _of_nodes(nodes: Nodes | CannotRead, this: ThisNode | CannotRead) -> Iterator[Claim]:
    here = "" if isinstance(this, CannotRead) else this.name
    for node in () if isinstance(nodes, CannotRead) else nodes.items:
        if node.name == here:
            yield from _all(About.NODE_RANGE, node.pod_cidrs, f"node {node.name}")
        yield from _all(About.POD_RANGE, node.pod_cidrs, f"podCIDRs of node {node.name}")
        yield from _all(About.NODE_ADDRESS, node.addresses, f"node {node.name}")


def _of_pods(pods: Pods | CannotRead) -> Iterator[Claim]:
    for pod in () if isinstance(pods, CannotRead) else pods.items:
        if not pod.host_network:
            yield from _all(About.POD_ADDRESS, pod.addresses, f"pod {pod.namespace}/{pod.name}")


def _of_machines(local: LocalAddresses, nodes: Nodes | CannotRead) -> Iterator[Claim]:
    """Where somebody is: at the addresses of this machine, and of the other nodes."""
    own = [address for address in local.addresses if not address.startswith("127.")]
    yield from _all(About.LOCAL_ADDRESS, own, "the kernel")
    listed = () if isinstance(nodes, CannotRead) else nodes.items
    others = [address for node in listed if not set(node.addresses) & set(own) for address in node.addresses]
    yield from _all(About.MACHINE_ADDRESS, dict.fromkeys((*own, *others)), "the kernel, and the other nodes")


def _known_to_the_cluster(
    api_here: ApiServerHere | CannotRead,
    endpoints: EndpointSlices | CannotRead,
    nodes: Nodes | CannotRead,
    this: ThisNode | CannotRead,
) -> Iterator[Claim]:
    """Where the cluster looks for this machine: as a node, and for the API server if that runs here."""
    if not isinstance(api_here, CannotRead):
        yield from _all(About.SERVICE_RANGE, api_here.service_ranges, "--service-cluster-ip-range of the API server")
    if not isinstance(api_here, CannotRead) and api_here.runs:
        if api_here.advertised:
            yield Claim(About.ADVERTISED, api_here.advertised, "--advertise-address of its static pod")
        slices = {} if isinstance(endpoints, CannotRead) else endpoints.by_service
        ends = (end.address for end in slices.get("default/kubernetes", ()) if end.ready)
        yield from _all(About.API_ENDPOINT, dict.fromkeys(ends), "Service default/kubernetes")
    if not (isinstance(nodes, CannotRead) or isinstance(this, CannotRead)):
        yield from _all(About.OWN_NODE_ADDRESS, this.addresses, f"node {this.name}")
        for node in nodes.items:
            if node.name != this.name:
                yield from _all(About.OTHER_NODE_ADDRESS, node.addresses, f"node {node.name}")
