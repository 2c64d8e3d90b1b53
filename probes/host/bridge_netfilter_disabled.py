"""Packets between pods on one bridge bypass iptables.

## What it checks
The module br_netfilter is loaded and `net.bridge.bridge-nf-call-iptables` is 1, where the CNI uses a Linux bridge and
kube-proxy translates ClusterIPs with netfilter.

## Why it matters
A packet to a ClusterIP is translated to a pod's address. When that pod is on the same bridge, its reply is switched
straight back and bypasses conntrack: the source is not translated back to the ClusterIP, and the client drops the
reply. So ClusterIPs time out (DNS first) while pod addresses answer.

## When it is not a fault
When no pod talks to a ClusterIP whose pod is on the same node's bridge, or the CNI has no Linux bridge.

## By hand
`modprobe br_netfilter`, `sysctl -w net.bridge.bridge-nf-call-iptables=1`; a file in /etc/modules-load.d and one in
/etc/sysctl.d keep both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.sysctl import BRIDGE_NF_CALL, BridgeNetfilterModule, Sysctls
from netdoctor.facts.traffic.names import SERVICE_NAME, ClusterDns
from netdoctor.facts.traffic.postgres import TCP, Postgres, PostgresStage
from netdoctor.facts.traffic.reach import CLUSTER_IP, Reach
from netdoctor.facts.traffic.vantage import HOST, pod_of
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_IPS
from netdoctor.system.traffic import Answer, Reply


@probe(area=Area.NODE, healthy="bridged packets pass iptables", explains=CLUSTER_IPS)
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
    postgres: Postgres | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """The setting is off, and ClusterIPs of pods on the same bridge do not answer."""
    if not cni.bridge:
        raise NotApplicable(f"the CNI ({_called(cni)}) joins pods without a Linux bridge")
    if not kube_proxy.mode:
        raise NotApplicable("there is no kube-proxy: something else translates ClusterIPs")
    if sysctls[BRIDGE_NF_CALL] == "1":
        return
    local = _service_addresses_with_local_pods(attachments, services, endpoints)
    if local is not None and not local:
        return
    asked = _of_these([*_of_reach(reach), *_of_dns(names), *_of_postgres(postgres)], local)
    silent = [question for question in asked if question.reply.answer is Answer.TIMEOUT]
    if asked and not silent:
        return
    yield Finding(
        f"{BRIDGE_NF_CALL} is {sysctls[BRIDGE_NF_CALL] or 'missing'}: answers from pods on bridge {cni.bridge} "
        "are not translated back to the ClusterIP, and clients drop them",
        _evidence(sysctls, module, silent),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED if silent else Confidence.LIKELY,
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """What a pod asked of a ClusterIP."""

    address: str
    reply: Reply
    evidence: Evidence


def _of_reach(reach: Reach | CannotRead) -> list[_Question]:
    flows = () if isinstance(reach, CannotRead) else reach.of(CLUSTER_IP)
    asked = [flow for flow in flows if flow.vantage != HOST]
    return [_Question(flow.address, flow.reply, flow.evidence("an answer")) for flow in asked]


def _of_dns(names: ClusterDns | CannotRead) -> list[_Question]:
    lookups = () if isinstance(names, CannotRead) else names.of(SERVICE_NAME)
    asked = [lookup for lookup in lookups if lookup.vantage != HOST]
    return [_Question(lookup.server, lookup.reply, lookup.evidence("an answer")) for lookup in asked]


def _of_postgres(postgres: Postgres | CannotRead) -> list[_Question]:
    steps = () if isinstance(postgres, CannotRead) else postgres.of(TCP)
    return [_Question(step.address, step.reply, _connection(step, step.reply)) for step in steps if step.reply]


def _connection(step: PostgresStage, reply: Reply) -> Evidence:
    data = Values(pod=pod_of(step.vantage), service=step.service, address=step.address, port=step.port)
    return Evidence(f"{step.vantage} -> {step.service}", str(reply), "an answer", data)


def _of_these(questions: list[_Question], addresses: set[str] | None) -> list[_Question]:
    """Those that were asked of one of these addresses; all where the addresses are not known."""
    return [question for question in questions if addresses is None or question.address in addresses]


def _evidence(sysctls: Sysctls, module: BridgeNetfilterModule, silent: list[_Question]) -> tuple[Evidence, ...]:
    unloaded = () if module.loaded else (Evidence("kernel module br_netfilter", "not loaded", "loaded"),)
    silence = (question.evidence for question in silent[:2])
    return (sysctls.evidence(BRIDGE_NF_CALL, expected="1"), *unloaded, *silence)


def _called(cni: CniConfig) -> str:
    return cni.name or cni.path or "none"


def _service_addresses_with_local_pods(
    attachments: Attachments, services: Services | CannotRead, endpoints: EndpointSlices | CannotRead
) -> set[str] | None:
    """ClusterIPs with an endpoint on this node's bridge; None where that is not known."""
    if isinstance(services, CannotRead) or isinstance(endpoints, CannotRead):
        return None
    here = {address for pod in attachments.pods for address in pod.addresses}
    return {s.cluster_ip for s in services.items if here & {e.address for e in endpoints.ready(s)}}
