"""Make kube-proxy write its rules again.

## What it does
Deletes kube-proxy's pod on this node, which is the one that DaemonSet kube-system/kube-proxy controls; the DaemonSet
creates a new one, which writes all rules when it starts (measured: 0.6 s to 2.7 s). If the DaemonSet's template has
changed since the pod was created, the pod stays: a new one would be a different kube-proxy. Then it deletes tracked
connections to ClusterIPs that no rule translated: CoreDNS hangs on such a connection for 30 s and more.

## What it costs
kube-proxy restarts; established connections are not touched.

## By hand
`kubectl -n kube-system get pods -o wide`, and delete the pod of this node that DaemonSet kube-proxy controls; then,
once the rules are there, `conntrack -D -d CLUSTER_IP -r CLUSTER_IP`.

## Undo
Nothing: the rules are kube-proxy's own, and stay as it wrote them.
"""

from collections.abc import Iterator
from itertools import islice, product

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.kube_proxy import ResyncKubeProxy, Translation
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import LocalAddresses, ThisNode
from netdoctor.facts.cluster.translated import Translated, Wanted
from netdoctor.model import Access

MOST = 200  # Services that a rehearsal translates: those that are asked come first


@remedy(fixes="kube-proxy-rules-missing", opens=(Access.POD_TO_SERVICE, Access.OUTSIDE_TO_NODE_PORT))
def resync_kube_proxy(
    findings: tuple[Finding, ...],  # noqa: ARG001 - kube-proxy writes all of its rules or none
    kube_proxy: KubeProxy,
    services: Services,
    endpoints: EndpointSlices,
    translated: Translated,
    this: ThisNode,
    local: LocalAddresses | CannotRead,
) -> Iterator[Change]:
    """The pod, and a port by which to see that the rules are back."""
    require_restartable(kube_proxy, translated)
    if translated.entered and not translated.missing and not translated.missing_node_ports:
        return
    lost = _lost(translated, services)
    ports = [(service.cluster_ip, port.protocol.lower(), port.port) for service, port in lost]
    node_ports = [(port.protocol.lower(), port.node_port) for _, port in translated.missing_node_ports]
    translations = (*_of_cluster_ips(lost, endpoints), *_of_node_ports(translated, endpoints, this))
    yield ResyncKubeProxy.planned(
        kube_proxy.pod,
        kube_proxy.mode,
        tuple(ports[:1]),
        tuple(node_ports[:1]),
        (*_at_own_addresses(_own(this, local), services, endpoints), *translations[:MOST]),
        uid=kube_proxy.uid,
        node=this.name,
    )


def require_restartable(kube_proxy: KubeProxy, translated: Translated) -> None:
    """Raise NotApplicable where deleting kube-proxy's pod would not make the same kube-proxy write its rules again."""
    if not translated.known:
        raise NotApplicable(f"kube-proxy's mode is {kube_proxy.mode}: delete its pod by hand: it rewrites its rules")
    if not kube_proxy.pod:
        raise NotApplicable("kube-proxy does not run in a pod on this node that the API server knows")
    if kube_proxy.configured not in ("", kube_proxy.mode):
        raise NotApplicable(
            f"kube-proxy runs in mode {kube_proxy.mode} and is set to {kube_proxy.configured}: "
            "deleting its pod would switch it too"
        )
    if kube_proxy.keep:
        raise NotApplicable(f"pod {kube_proxy.pod} is not deleted: {kube_proxy.keep}")


def _lost(translated: Translated, services: Services) -> Wanted:
    """The ports of ClusterIPs that are not translated, in the order in which a rehearsal asks for them."""
    lost = translated.missing if translated.entered else translated.wanted  # nothing leads to any of them
    return tuple(sorted(lost, key=lambda each: _rank(each[0], services)))


def _of_cluster_ips(lost: Wanted, endpoints: EndpointSlices) -> Iterator[Translation]:
    for service, port in lost:
        for end in endpoints.behind(service, port):
            yield service.cluster_ip, port.protocol.lower(), port.port, end.address, end.port


def _of_node_ports(translated: Translated, endpoints: EndpointSlices, this: ThisNode) -> Iterator[Translation]:
    for service, port in translated.missing_node_ports:
        for address, end in product(this.addresses, endpoints.behind(service, port)):
            yield address, port.protocol.lower(), port.node_port, end.address, end.port


def _own(this: ThisNode, local: LocalAddresses | CannotRead) -> set[str]:
    """The node's addresses: those that the API server knows, and those on its interfaces."""
    return {*this.addresses, *(() if isinstance(local, CannotRead) else local.addresses)}


def _at_own_addresses(own: set[str], services: Services, endpoints: EndpointSlices) -> Iterator[Translation]:
    """What Services with an external address of this node's lead to a pod: it may be a daemon's port."""
    for service in (each for each in services.items if not each.other_proxy):
        for address, port in product(sorted(own & {*service.outside}), service.ports):
            alike = (end for end in endpoints.behind(service, port) if (":" in end.address) == (":" in address))
            for end in islice(alike, 1):  # one is enough for a copy
                yield address, port.protocol.lower(), port.port, end.address, end.port


def _rank(service: Service, services: Services) -> tuple[bool, bool, bool]:
    return str(service) != "default/kubernetes", service.namespace != "kube-system", service not in services.postgres
