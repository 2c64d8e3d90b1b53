"""The interface that the CNI makes for a pod is there already.

## What it checks
The CNI refused a pod because the interface's name is taken: in the pod's network namespace, or on the host. Whether
the configuration has two plugins that each make the pod's interface.

## Why it matters
The kernel has each name once in a network namespace. Two plugins that both make eth0 refuse every new pod; an interface
that was left behind refuses one pod, at each try again.

## When it is not a fault
The kubelet makes a new network namespace for each try, and a veth pair that was left behind seldom has the same name.

## By hand
`cat /etc/cni/net.d/*`: one plugin of the list makes the interface (bridge, ptp, macvlan, ipvlan), the others change it.
`ip -br link`: a veth whose other end is gone can be deleted.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals
from netdoctor.model import Confidence
from netdoctor.shell import command

# plugins that make the pod's interface; those of other projects that do are the first of their list
MAKERS = ("bridge", "ptp", "macvlan", "ipvlan", "host-device", "vlan", "flannel", "calico", "cilium-cni", "weave-net")


@probe(
    area=Area.PODS,
    healthy="the CNI makes each pod's interface once",
    explains=("new-pod-without-network", "coredns-not-ready"),
)
def cni_interface_exists(refusals: SandboxRefusals, cni: CniConfig | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """What the plugin said, and how many plugins make the interface."""
    for refusal in refusals.of_cause("cni-interface-exists"):
        kinds = [] if isinstance(cni, CannotRead) else [str(plugin["type"]) for plugin in cni.plugins]
        makers = [kind for kind in kinds if kind in MAKERS]
        evidence = [refusal.evidence()]
        named = refusal.groups[0] if refusal.groups and refusal.groups[0] else "it"
        said = f"the CNI cannot make the interface of {refusal.name}: {named} is there already"
        by_hand = command("ip -br link show type veth")
        if len(makers) > 1 and not isinstance(cni, CannotRead):
            data = Values(file=cni.path, count=len(makers))
            evidence.append(Evidence(cni.path, f"makes the interface: {', '.join(makers)}", "one plugin", data))
            said = (
                f"{cni.path} has {len(makers)} plugins that make a pod's interface ({', '.join(makers)}), and {named}"
            )
            said += " is there already when the second one begins"
            by_hand = command("sudoedit {:path}", cni.path)
        yield Finding(
            said,
            tuple(evidence),
            refusal.subject(this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=by_hand,
        )
