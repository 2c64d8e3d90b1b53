"""No rule leads a hostPort to its pod.

## What it checks
Where connections to a pod's `hostPort` are refused or lost: the CNI configuration has the plugin `portmap`, its chain
`CNI-HOSTPORT-DNAT` of table nat names the port, and packets enter that chain from PREROUTING and OUTPUT.

## Why it matters
Kubernetes leaves a hostPort to the CNI. Without `portmap` it is ignored without a word. With it, the rules are written
once, when the pod is made: what flushes table nat removes them until the pod is made again.

## When it is not a fault
Where the hostPort answers. Rules of `portmap` in nftables are not judged, nor is another CNI's own way to a hostPort.

## By hand
`iptables -t nat -S CNI-HOSTPORT-DNAT`; delete the pod, so that the CNI writes its rules with the new one.
"""

import re
from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.traffic.reach import AskedFlow
from netdoctor.facts.traffic.service_reach import HOST_PORT, ServiceReach
from netdoctor.model import Confidence
from netdoctor.shell import command

CHAIN = "CNI-HOSTPORT-DNAT"
PORTS = re.compile(r" --dports? ([\d,:]+)")


@probe(area=Area.PODS, healthy="hostPorts have their rules", explains=("host-port-unreachable",))
def host_port_rules_missing(
    reach: ServiceReach, cni: CniConfig, iptables: Iptables, pods: Pods, this: ThisNode
) -> Iterator[Finding]:
    """hostPorts that do not answer and that no rule of portmap's names."""
    portmap = cni.plugin("portmap")
    if not cni.plugins or cni.bridge == "" or (portmap and portmap.get("backend", "") not in ("", "iptables")):
        raise NotApplicable("the CNI publishes hostPorts in a way of its own")
    by_name = {f"pod {pod.namespace}/{pod.name}": pod for pod in pods.items}
    for flow in {flow.port: flow for flow in reach.lost_before(HOST_PORT)}.values():
        pod = by_name.get(flow.target)
        shown = _without_portmap(cni) if portmap is None else _without_rule(iptables, flow.port)
        if pod and shown:
            yield Finding(
                f"hostPort {flow.port} leads nowhere: {shown.observed}, and {flow.target} asks for it",
                (shown, flow.evidence("connected")),
                Subject(node=this.name),
                confidence=Confidence.CONFIRMED,
                by_hand=_by_hand(pod, flow, portmap is None, cni.path),
            )


def _without_portmap(cni: CniConfig) -> Evidence:
    there = ", ".join(str(plugin["type"]) for plugin in cni.plugins)
    return Evidence(f"plugins of {cni.path}", f"the CNI has no plugin portmap, only {there}", "portmap among them")


def _without_rule(iptables: Iptables, port: int) -> Evidence | None:
    """What of portmap's way to this port is missing."""
    both = (iptables.nft, iptables.legacy)
    if not any(_names(rule, port) for rules in both for rule in rules.rules("nat", CHAIN)):
        said, wanted = f"no rule of {CHAIN} names it", f"a rule for port {port}"
        return Evidence("iptables nat", said, wanted, Values(port=port))
    for hook in ("PREROUTING", "OUTPUT"):
        if not any(rule.endswith(f"-j {CHAIN}") for rules in both for rule in rules.rules("nat", hook)):
            return Evidence("iptables nat", f"{hook} does not lead to {CHAIN}", f"a jump to {CHAIN}")
    return None


def _names(rule: str, port: int) -> bool:
    """Whether a rule is for this port, alone or as one of several."""
    found = PORTS.search(rule)
    return found is not None and str(port) in re.split("[,:]", found[1])


def _by_hand(pod: Pod, flow: AskedFlow, without: bool, path: str) -> tuple[str, ...]:
    """Have the pod made again, after portmap was added where it is missing; a bare pod nobody makes again."""
    again = command("kubectl -n {} delete pod/{}", pod.namespace, pod.name) if pod.owner else ()
    if not without:
        return again
    return (*command("sudoedit {:path}  # add the plugin portmap, for hostPort {}", path, flow.port), *again)
