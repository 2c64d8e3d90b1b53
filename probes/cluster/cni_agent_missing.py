"""The CNI plugin asks an agent that is not there.

## What it checks
The CNI refused a pod because the plugin did not find what its agent leaves on the node: a file (Calico, flannel) or a
socket (Cilium, Weave, Antrea, Multus and others). Whether the cluster has a DaemonSet of that agent tells which of two
faults it is: its agent does not run here, or its configuration was left over from another network.

## Why it matters
The runtime takes the first file of /etc/cni/net.d by name. A file that a removed network has left there, or that was
installed before its agent, comes first, and no new pod gets a network.

## When it is not a fault
In the first minute of a node the agent may not have been started yet.

## By hand
`ls -l /etc/cni/net.d`; `kubectl get daemonsets -A`. Move the file of a network that is gone out of the folder; see to
the agent's pod where the network is in use.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.last_ends import AGENTS
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Workload, Workloads
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals
from netdoctor.model import Confidence
from netdoctor.program_messages.sandbox import agent_of
from netdoctor.shell import command


@probe(
    area=Area.PODS,
    healthy="the CNI plugin finds its agent",
    explains=("new-pod-without-network", "coredns-not-ready"),
)
def cni_agent_missing(
    refusals: SandboxRefusals, workloads: Workloads, cni: CniConfig | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """A plugin's words, and whether its agent is meant to run."""
    for refusal in refusals.of_cause("cni-agent-missing"):
        agent = agent_of(refusal.said)
        of_agent = [each for each in workloads.items if each.kind == "DaemonSet" and AGENTS.get(each.name) == agent]
        named = ", ".join(f"{each.namespace}/{each.name}" for each in of_agent) or "none"
        daemon_sets = Evidence(f"DaemonSets of {agent}", named, "one whose pod runs on this node")
        path = "" if isinstance(cni, CannotRead) else cni.path
        if of_agent:
            said = f"the CNI asks the agent of {agent}, which does not run on this node"
            by_hand = _look_at(of_agent[0])
        else:
            where = path or "the CNI configuration"
            said = f"{where} is left over from {agent}: its plugin asks an agent that this cluster does not have"
            by_hand = command("sudo mv {:path} /root/", path) if path else ()
        yield Finding(
            f"{said}, and pods get no network",
            (refusal.evidence(), daemon_sets, *_others(cni)),
            refusal.subject(this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=by_hand,
        )


def _others(cni: CniConfig | CannotRead) -> tuple[Evidence, ...]:
    """The files that the runtime would take after this one."""
    if isinstance(cni, CannotRead) or not cni.others:
        return ()
    return (Evidence("files that sort after it", ", ".join(cni.others), "the runtime takes the first"),)


def _look_at(workload: Workload) -> tuple[str, ...]:
    return command("kubectl -n {} describe daemonset/{}", workload.namespace, workload.name)
