"""Packets between pods on one bridge bypass iptables.

## What it checks
The module br_netfilter is there and `net.bridge.bridge-nf-call-iptables` is 1, where a Linux-bridge CNI meets a
kube-proxy that translates ClusterIPs by netfilter.

## Why it matters
A packet to a ClusterIP is translated to a pod's address. When that pod is on the same bridge, its answer is switched
straight back, past conntrack: nobody turns the source into the ClusterIP again, and the client drops the answer. So
ClusterIPs time out (DNS first) while pod addresses answer.

## When it is no fault
When no pod talks to a ClusterIP whose pod is on the same node's bridge, or the CNI has no Linux bridge.

## By hand
`modprobe br_netfilter`, `sysctl -w net.bridge.bridge-nf-call-iptables=1`; a file in /etc/modules-load.d and one in
/etc/sysctl.d keep both.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cni import Attachments, CniConfig
from netdoctor.facts.kube_proxy import KubeProxy
from netdoctor.facts.names import SERVICE_NAME, ClusterDns
from netdoctor.facts.reach import CLUSTER_IP, Reach
from netdoctor.facts.services import EndpointSlices, Services
from netdoctor.facts.sysctl import BRIDGE_NF_CALL, BridgeNetfilterModule, Sysctls
from netdoctor.facts.this_node import ThisNode
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_IPS
from netdoctor.traffic import Answer


@probe(explains=CLUSTER_IPS)
def bridge_netfilter_disabled(
    sysctls: Sysctls,
    module: BridgeNetfilterModule,
    cni: CniConfig,
    kube_proxy: KubeProxy,
    attachments: Attachments,
    services: Services | CannotRead,
    endpoints: EndpointSlices | CannotRead,
    reach: Reach | CannotRead,
    names: ClusterDns | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """The setting is off, and ClusterIPs of pods on the same bridge do not answer."""
    if not cni.bridge:
        raise NotApplicable(f"the CNI ({cni.name or cni.path or 'none'}) joins pods without a Linux bridge")
    if not kube_proxy.mode:
        raise NotApplicable("there is no kube-proxy: something else translates ClusterIPs")
    if sysctls[BRIDGE_NF_CALL] == "1":
        return
    flows = () if isinstance(reach, CannotRead) else reach.of(CLUSTER_IP)
    lookups = () if isinstance(names, CannotRead) else names.of(SERVICE_NAME)
    local = _service_addresses_with_local_pods(attachments, services, endpoints)
    asked = [f for f in flows if f.vantage != "host" and (local is None or f.address in local)]
    silent = [f for f in asked if f.reply.answer is Answer.TIMEOUT]
    silent_names = [x for x in lookups if x.reply.answer is Answer.TIMEOUT]
    if (asked or lookups) and not (silent or silent_names):
        return
    evidence = [sysctls.evidence(BRIDGE_NF_CALL, expected="1")]
    if not module.loaded:
        evidence.append(Evidence("kernel module br_netfilter", "not loaded", "loaded"))
    evidence += [Evidence(str(flow), str(flow.reply), "an answer") for flow in silent[:1]]
    evidence += [Evidence(str(lookup), str(lookup.reply), "an answer") for lookup in silent_names[:1]]
    yield Finding(
        f"{BRIDGE_NF_CALL} is {sysctls[BRIDGE_NF_CALL] or 'missing'}: answers from pods on bridge {cni.bridge} "
        "are not translated back to the ClusterIP, and clients drop them",
        tuple(evidence),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED if silent or silent_names else Confidence.LIKELY,
    )


def _service_addresses_with_local_pods(
    attachments: Attachments, services: Services | CannotRead, endpoints: EndpointSlices | CannotRead
) -> set[str] | None:
    """ClusterIPs with an endpoint on this node's bridge; None where that is not known."""
    if isinstance(services, CannotRead) or isinstance(endpoints, CannotRead):
        return None
    here = {address for pod in attachments.pods for address in pod.addresses}
    return {s.cluster_ip for s in services.items if here & {e.address for e in endpoints.ready(s)}}
