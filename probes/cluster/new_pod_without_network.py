"""A new pod gets no network.

## What it checks
A test pod is created, and the CNI connects it within four seconds. Nothing is pulled: the pod uses the node's pause
image. If the node has none, the pod names an image that does not exist: the kubelet gives its sandbox a network before
it looks for the image. Other pods of this node that wait for their network are named as well, where the CNI has refused
them more than once.

## Why it matters
If netdoctor's pod gets no network, the modules' pods get none either.

## By hand
`kubectl get events -A | grep -i sandbox`; `journalctl -u kubelet -u containerd`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusal, SandboxRefusals
from netdoctor.model import Confidence


@probe(area=Area.PODS, healthy="a new pod gets a network", symptom=True)
def new_pod_without_network(
    pod: NewPod | CannotRead, refusals: SandboxRefusals | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """The CNI did not connect it in time, or does not connect another one."""
    refused = () if isinstance(refusals, CannotRead) else refusals.items
    if isinstance(pod, NewPod):
        yield from (_of_another(each, this) for each in refused)
        return
    if pod.why is not Why.NO_NETWORK:
        raise pod
    means = [_meaning(each) for each in refused if each.is_test_pod and each.means]
    evidence = (Evidence("test pod", pod.reason, "a network"), *means, *this.not_ready())
    yield Finding(f"a new pod gets {pod.reason}", evidence, Subject(node=this.name), confidence=Confidence.CONFIRMED)


def _of_another(refusal: SandboxRefusal, this: ThisNode) -> Finding:
    """A pod that the CNI refuses while it connects others."""
    means = (_meaning(refusal),) if refusal.means else ()
    summary = f"{refusal.name} gets no network: {refusal.said}"
    evidence = (refusal.evidence(), *means)
    return Finding(summary, evidence, refusal.subject(this.name), confidence=Confidence.CONFIRMED)


def _meaning(refusal: SandboxRefusal) -> Evidence:
    return Evidence("what that means", refusal.means, "nothing of the kind")
