"""Pods use a nameserver address that does not belong to any Service.

## What it checks
When the cluster DNS is silent: whether the nameserver in the pods' resolv.conf is the ClusterIP of a Service with
port 53. A link-local one is that of a DNS cache on each node (NodeLocal DNSCache): whether this node has the address.

## Why it matters
The kubelet writes the nameserver into each pod's resolv.conf, from `clusterDNS` of its configuration, once, when it
creates the pod. If that differs from the DNS Service's address, because the Service was recreated or deleted, or the
configuration came from another cluster, no name resolves in any pod, although CoreDNS is fine.

## When it is not a fault
When names resolve anyway, or the address is link-local, and a DNS cache on this node has it.

## By hand
`kubectl -n kube-system get service kube-dns` shows the address, `grep -A1 clusterDNS /var/lib/kubelet/config.yaml`
what the kubelet writes. Create the Service with that `clusterIP`, or correct the kubelet's configuration, restart the
kubelet, and recreate the pods.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import LocalAddresses, ThisNode
from netdoctor.facts.traffic.names import SERVICE_NAME, ClusterDns
from netdoctor.facts.traffic.vantage import VantagePoint, VantagePoints, pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_DNS
from netdoctor.system.foreign_text import to_address
from netdoctor.system.kube_api import KubeApi


@probe(area=Area.DNS, healthy="pods ask the cluster DNS's address", explains=CLUSTER_DNS)
def nameserver_of_no_service(
    api: KubeApi,
    services: Services,
    names: ClusterDns,
    points: VantagePoints,
    local: LocalAddresses | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """The nameserver that was asked does not answer, and no Service has its address."""
    if services.source != api.server:
        raise NotApplicable("the Services are not known from the API server")
    asked = names.of(SERVICE_NAME)
    if not asked or any(lookup.reply.answered for lookup in asked):
        return
    using = [point for point in points.pods if point.nameservers[:1] == (names.server,)]
    if _may_answer(names.server, services, local) or not using:
        return
    cache = " nor to a DNS cache of this node" if to_address(names.server).is_link_local else ""
    there, consequence = "none in kube-system", "the Service of the cluster DNS is gone"
    wanted = "a Service's ClusterIP"
    dns = services.cluster_dns
    if dns:
        there = f"{dns} at {dns.cluster_ip}"
        consequence = f"the cluster DNS is {there}"
        wanted = dns.cluster_ip
    yield Finding(
        f"pods use nameserver {names.server}, which does not belong to any Service{cache}{_but(using, points)}: "
        f"{consequence}",
        (
            Evidence(
                f"nameserver of {using[0].name}",
                names.server,
                wanted,
                Values(pod=pod_of(using[0].name), address=names.server),
            ),
            Evidence("Services with port 53", there, f"one at {names.server}"),
            asked[0].evidence("an answer"),
        ),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
        by_hand=_by_hand(dns.cluster_ip) if dns else (),
    )


def _by_hand(address: str) -> tuple[str, ...]:
    """Make the kubelet write this address; pods get it when they are recreated."""
    edit = command("sudoedit /var/lib/kubelet/config.yaml  # clusterDNS: {}", address)
    return (*edit, *command("sudo systemctl restart kubelet")) if edit else ()


def _may_answer(server: str, services: Services, local: LocalAddresses | CannotRead) -> bool:
    """Whether it is a Service's address, or that of a DNS cache, which makes its link-local address one of the node."""
    if to_address(server).is_link_local:
        return isinstance(local, CannotRead) or server in local.addresses
    return any(server == service.cluster_ip for service in services.items)


def _but(using: list[VantagePoint], points: VantagePoints) -> str:
    """Which pods have another nameserver."""
    clients = [point for point in points.pods if point.nameservers and not point.is_coredns]
    others = [point for point in clients if point not in using]
    return f" ({len(using)} of {len(clients)} pods that were looked at)" if others else ""
