"""kube-proxy's rules are missing.

## What it checks
Each ClusterIP with a ready endpoint stands in kube-proxy's rules, and packets are led into them: in mode iptables the
chain KUBE-SERVICES in table nat, entered from PREROUTING and OUTPUT; in mode nftables the table `ip kube-proxy`.

## Why it matters
A ClusterIP is on no interface: only these rules turn it into a pod's address. Without them its packets go to the
default gateway and are lost.

A Service whose endpoints changed in the last three seconds is left out: kube-proxy writes about once a second.

## When it mends itself
kube-proxy looks every 30 s whether its rules were flushed, and writes them again. What has been flushed besides
(the masquerade of pods) stays away.

## By hand
Delete kube-proxy's pod on the node: the new one writes all rules within a second.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Subject, probe
from netdoctor.facts.cluster import EndpointSlices, Services
from netdoctor.facts.kube_proxy import KubeProxy
from netdoctor.facts.this_node import ThisNode
from netdoctor.facts.translated import Translated
from netdoctor.symptoms import CLUSTER_IPS


@probe(explains=CLUSTER_IPS)
def kube_proxy_rules_missing(
    kube_proxy: KubeProxy, translated: Translated, services: Services, endpoints: EndpointSlices, this: ThisNode
) -> Iterator[Finding]:
    """Services with a ready endpoint and without a rule."""
    if not translated.known:
        raise NotApplicable(f"kube-proxy's mode is {kube_proxy.mode or 'unknown'}: its rules are not read")
    wanted = {s.cluster_ip: s for s in services.items if endpoints.ready(s) and ":" not in s.cluster_ip}
    missing = [
        service for address, service in wanted.items()
        if address not in translated.addresses and str(service) not in endpoints.changing
    ]  # fmt: skip
    if not missing and translated.entered:
        return
    names = ", ".join(str(s) for s in missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    if not translated.addresses:
        observed = "not there, or empty"
    elif missing:
        observed = f"no rule for {', '.join(f'{s} {s.cluster_ip}' for s in missing[:4])}"
    else:
        observed = "nothing leads into it"
    process = "running" if kube_proxy.running else f"not running. {kube_proxy.trouble}".rstrip(" .")
    yield Finding(
        f"kube-proxy's rules are missing for {len(missing)} of {len(wanted)} ClusterIPs ({names})"
        if missing
        else "nothing leads into kube-proxy's rules: no ClusterIP is translated",
        (
            Evidence(translated.source, observed, "a rule for each ClusterIP with a ready endpoint"),
            Evidence("kube-proxy's process", process, "running"),
        ),
        Subject(node=this.name),
    )
