"""No address is free for a new pod.

## What it checks
The CNI refused a pod because every address of its range is taken: the test pod, or a pod that has waited through more
than one refusal. What host-local holds as reserved is counted beside the pods that the CNI has connected.

## Why it matters
host-local keeps one file for each address in /var/lib/cni/networks. Files of pods that are gone stay when a node was
reset or the runtime was killed, until none is left; new pods stay in ContainerCreating then.

## When it is not a fault
A range that is full of running pods is too small, and nothing is left over.

## By hand
`ls /var/lib/cni/networks/NETWORK`; each file holds the ID of a container. Delete those whose container is gone, or give
the node a larger range.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.reserved_addresses import FOLDER, ReservedAddresses
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals
from netdoctor.model import Confidence
from netdoctor.shell import command


@probe(
    area=Area.PODS,
    healthy="addresses are free for new pods",
    explains=("new-pod-without-network", "coredns-not-ready"),
)
def cni_addresses_exhausted(
    refusals: SandboxRefusals,
    cni: CniConfig | CannotRead,
    reserved: ReservedAddresses | CannotRead,
    attachments: Attachments | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """What the IPAM plugin said, and what it holds as reserved."""
    for refusal in refusals.of_cause("cni-addresses-exhausted"):
        evidence = [refusal.evidence()]
        left_over = ""
        if not isinstance(reserved, CannotRead) and not isinstance(attachments, CannotRead):
            pods = len(attachments.pods)
            data = Values(count=reserved.count, of=pods)
            said = f"{reserved.count} addresses are reserved, for {pods} pods"
            evidence.append(Evidence(f"{FOLDER}/{reserved.network}", said, "one for each pod", data))
            if reserved.count > pods:
                left_over = f"; {reserved.count - pods} of them are reserved for pods that are gone"
        yield Finding(
            f"no address is free for a new pod in {refusal.groups[0]}{left_over}",
            tuple(evidence),
            refusal.subject(this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=_by_hand(cni),
        )


def _by_hand(cni: CniConfig | CannotRead) -> tuple[str, ...]:
    """Look at what is reserved; the folder has the network's name."""
    if isinstance(cni, CannotRead) or not cni.name:
        return ()
    return command("sudo ls -l {:path}", f"{FOLDER}/{cni.name}")
