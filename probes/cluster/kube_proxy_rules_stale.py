"""kube-proxy's rules lead a Service to an address that is not one of its endpoints.

## What it checks
In modes iptables and nftables: each address to which kube-proxy's own chains lead a ClusterIP is an endpoint of that
Service, be it ready or not. A Service or an EndpointSlice that has just changed is looked at once more.

## Why it matters
Rules that somebody has saved and loaded again (`iptables-restore`, `netfilter-persistent`, `nft -f`, a firewall's
start) name the pods of that time. kube-proxy does not notice: it writes a Service's rules again when that Service
changes. Connections to it time out, all of them or the share that the dead address has.

## When it mends itself
When the Service's endpoints change, or kube-proxy starts again.

## When it is not a fault
Where connections are still answered, by another endpoint: then it is a warning.

## By hand
`iptables-save -t nat | grep KUBE-SEP` or `nft list table ip kube-proxy`, beside `kubectl get endpointslices -A`; then
delete kube-proxy's pod on the node.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_IPS


@probe(
    area=Area.SERVICES,
    healthy="kube-proxy's rules lead to endpoints",
    explains=("found-by-experiment", *CLUSTER_IPS),
)
def kube_proxy_rules_stale(
    kube_proxy: KubeProxy, translated: Translated, failed: FailedFlows, this: ThisNode
) -> Iterator[Finding]:
    """What rules lead astray, in one finding: one act has loaded them."""
    if not translated.known:
        raise NotApplicable(f"kube-proxy's mode is {kube_proxy.mode or 'unknown'}: where its rules lead is not read")
    if not translated.stale:
        return
    service, port, end = translated.stale[0]
    others = len(translated.stale) - 1
    more = f", and {others} more like it" if others else ""
    silent = {flow.destination for flow in failed.items}
    yield Finding(
        f"kube-proxy's rules lead {service} {service.cluster_ip}:{port} to {end}, which is not an endpoint of it{more}",
        tuple(
            Evidence(
                translated.source,
                f"{service} {service.cluster_ip}:{port} -> {end}",
                "endpoints of the Service only",
                Values(service=str(service), address=end),
            )
            for service, port, end in translated.stale[:4]
        ),
        Subject(node=this.name),
        Severity.ERROR if any(each.cluster_ip in silent for each, _, _ in translated.stale) else Severity.WARNING,
        confidence=Confidence.CONFIRMED,
    )
