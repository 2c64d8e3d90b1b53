"""kube-proxy's rules are missing.

## What it checks
Each port of a ClusterIP and each NodePort with a ready endpoint is in kube-proxy's rules, every chain leads on to an
endpoint, and packets enter these rules: in mode iptables the chain KUBE-SERVICES in table nat, entered from PREROUTING
and OUTPUT; in mode nftables the table `ip kube-proxy`. Services that kube-proxy may leave out on this node are
skipped: those with the label of another proxy, and those with `internalTrafficPolicy: Local` and no ready endpoint on
this node.

## Why it matters
No interface has a ClusterIP: only these rules translate it to a pod's address. Without them its packets go to the
default gateway and are lost.

kube-proxy writes about once a second: when a missing Service or its endpoints changed in the last three seconds, the
rules are read again three seconds later.

## When it mends itself
kube-proxy checks every 30 s whether its rules were flushed, and writes them again. Other flushed rules (the
masquerade of pods) do not come back.

## When it is not a fault
When no kube-proxy runs on this node, none of its rules are left, and ClusterIPs answer pods: something else translates
them, and kube-proxy's ConfigMap was left behind.

## By hand
Delete kube-proxy's pod on the node: the new one writes all rules within a second.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.traffic.reach import CLUSTER_IP, Reach
from netdoctor.facts.traffic.vantage import HOST
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_IPS


@probe(area=Area.SERVICES, healthy="kube-proxy's rules are complete", explains=CLUSTER_IPS)
def kube_proxy_rules_missing(
    kube_proxy: KubeProxy, translated: Translated, reach: Reach | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Services with a ready endpoint and without a rule."""
    if not translated.known:
        raise NotApplicable(f"kube-proxy's mode is {kube_proxy.mode or 'unknown'}: its rules are not read")
    if translated.entered and not translated.missing and not translated.missing_node_ports:
        return
    if not (kube_proxy.running or kube_proxy.pod or translated.ports):
        answering = _answering_cluster_ip(reach)
        if answering:
            raise NotApplicable(f"no kube-proxy runs here, and {answering} answers: something else translates it")
    process = "running" if kube_proxy.running else f"not running. {kube_proxy.trouble}".rstrip(" .")
    yield Finding(
        _summary(translated),
        (
            Evidence(
                translated.source,
                _observed(translated),
                "a rule for each port with a ready endpoint",
                _values(translated),
            ),
            Evidence("kube-proxy's process", process, "running"),
        ),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
    )


def _answering_cluster_ip(reach: Reach | CannotRead) -> str:
    """A ClusterIP that answers a pod, "" where none is known to."""
    flows = () if isinstance(reach, CannotRead) else reach.of(CLUSTER_IP)
    return next((flow.address for flow in flows if flow.vantage != HOST and flow.reply.arrived), "")


def _observed(translated: Translated) -> str:
    """What of kube-proxy's rules is missing, the first four of it."""
    if not translated.ports:
        return "not there, or empty"
    said = [f"no rule for {service} {service.cluster_ip}:{port}" for service, port in translated.missing]
    said += [
        f"no rule for {service} NodePort {port.node_port}/{port.protocol.lower()}"
        for service, port in translated.missing_node_ports
    ]
    return "; ".join(said[:4]) or "nothing leads into it"


def _summary(translated: Translated) -> str:
    if not translated.missing and not translated.entered:
        return "nothing leads into kube-proxy's rules: no ClusterIP is translated"
    if translated.missing:
        missing, wanted, what = translated.missing, translated.wanted, "ClusterIPs"
    else:
        missing, wanted, what = translated.missing_node_ports, translated.wanted_node_ports, "Services with NodePorts"
    lost = list(dict.fromkeys(str(service) for service, _ in missing))
    names = ", ".join(lost[:4]) + (f" and {len(lost) - 4} more" if len(lost) > 4 else "")
    return f"kube-proxy's rules are missing for {len(lost)} of {len({str(s) for s, _ in wanted})} {what} ({names})"


def _values(translated: Translated) -> Values:
    if translated.missing:
        return Values(count=len(translated.missing), of=len(translated.wanted))
    return Values(count=len(translated.missing_node_ports), of=len(translated.wanted_node_ports))
