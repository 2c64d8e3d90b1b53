"""kube-proxy's rules are missing.

## What it checks
In iptables mode: the chain KUBE-SERVICES is in table nat, is entered from PREROUTING and OUTPUT, and has a rule for
each ClusterIP with a ready endpoint.

## Why it matters
A ClusterIP is on no interface: only these rules turn it into a pod's address. Without them its packets go to the
default gateway and are lost.

## When it mends itself
kube-proxy looks every 30 s whether its rules were flushed, and writes them again. What has been flushed besides
(the masquerade of pods) stays away.

## By hand
Delete kube-proxy's pod on the node: the new one writes all rules within a second.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Subject, probe
from netdoctor.facts.cluster import EndpointSlices, Services
from netdoctor.facts.iptables import Iptables
from netdoctor.facts.kube_proxy import KubeProxy
from netdoctor.facts.this_node import ThisNode


@probe(
    explains=(
        "cluster-ip-unreachable",
        "cluster-dns-silent",
        "coredns-not-ready",
        "outside-names-unresolved",
        "postgres-name-unresolved",
        "postgres-unreachable",
    )
)
def kube_proxy_rules_missing(
    kube_proxy: KubeProxy, iptables: Iptables, services: Services, endpoints: EndpointSlices, this: ThisNode
) -> Iterator[Finding]:
    """Services with a ready endpoint and without a rule."""
    if kube_proxy.mode != "iptables":
        raise NotApplicable(f"kube-proxy's mode is {kube_proxy.mode or 'unknown'}, not iptables")
    wanted = {s.cluster_ip: s for s in services.items if endpoints.ready(s)}
    rules = (*iptables.nft.rules("nat", "KUBE-SERVICES"), *iptables.legacy.rules("nat", "KUBE-SERVICES"))
    present = {word.removesuffix("/32") for rule in rules for word in rule.split() if word[0].isdigit()}
    missing = [s for address, s in wanted.items() if address not in present]
    entries = [
        rule for backend in (iptables.nft, iptables.legacy) for hook in ("PREROUTING", "OUTPUT")
        for rule in backend.rules("nat", hook) if rule.endswith("-j KUBE-SERVICES")
    ]  # fmt: skip
    if not missing and len(entries) >= 2:
        return
    names = ", ".join(str(s) for s in missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    if not rules:
        observed = "no chain KUBE-SERVICES, or an empty one"
    elif missing:
        observed = f"no rule for {', '.join(f'{s} {s.cluster_ip}' for s in missing[:4])}"
    else:
        observed = f"{len(entries)} jumps to KUBE-SERVICES"
    process = "running" if kube_proxy.running else f"not running. {kube_proxy.trouble}".rstrip(" .")
    yield Finding(
        f"kube-proxy's rules are missing for {len(missing)} of {len(wanted)} ClusterIPs ({names})"
        if missing
        else "nothing leads into KUBE-SERVICES: no ClusterIP is translated",
        (
            Evidence("iptables nat KUBE-SERVICES", observed, "a rule for each ClusterIP with a ready endpoint"),
            Evidence("kube-proxy's process", process, "running"),
        ),
        Subject(node=this.name),
    )
