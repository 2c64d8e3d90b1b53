"""The kubelet asks the API server through a proxy.

## What it checks
`HTTPS_PROXY` and `NO_PROXY` of the kubelet's process against the API server in its kubeconfig.

## Why it matters
Somebody set a proxy for the whole machine, or for all services of systemd. A company's proxy does not lead to the
cluster: the kubelet loses the API server, the node becomes NotReady, and no pod starts. Where it does lead there, the
node depends on it.

## When it is not a fault
When `NO_PROXY` has the API server's name or address, or a network that holds the address. Where the node is ready it is
a warning.

## By hand
`tr '\\0' '\\n' < /proc/$(pidof kubelet)/environ | grep -i proxy`; add the API server, the pod network and the Service
network to `NO_PROXY` with `systemctl edit kubelet`, and restart it.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.kubelet_proxy import KubeletProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.shell import command

EXPLAINED = ("new-pod-without-network", "coredns-not-ready", "kube-proxy-not-running")


@probe(area=Area.NODE, healthy="the kubelet asks the API server without a proxy", explains=EXPLAINED)
def kubelet_asks_through_proxy(kubelet: KubeletProxy | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """NO_PROXY does not have the API server."""
    if isinstance(kubelet, CannotRead):
        if kubelet.why is Why.ABSENT:
            raise NotApplicable(str(kubelet))
        raise kubelet
    if not kubelet.proxy:
        return
    data = Values(address=kubelet.proxy, value=kubelet.server)
    yield Finding(
        f"the kubelet asks the API server at {kubelet.server} through the proxy {kubelet.proxy}: its NO_PROXY does not "
        "have that address",
        (
            Evidence(
                "variables of the kubelet", f"HTTPS_PROXY {kubelet.proxy}", f"NO_PROXY with {kubelet.server}", data
            ),
            *this.not_ready(),
        ),
        Subject(node=this.name),
        severity=Severity.ERROR if this.problem else Severity.WARNING,
        by_hand=command("sudo systemctl edit kubelet  # Environment: NO_PROXY with {}", kubelet.server),
    )
