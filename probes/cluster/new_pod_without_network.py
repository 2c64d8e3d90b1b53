"""A new pod gets no network.

## What it checks
A test pod is created, and the CNI connects it within four seconds. Nothing is pulled: the pod uses the node's pause
image. If the node has none, the pod names an image that does not exist: the kubelet gives its sandbox a network before
it looks for the image.

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
from netdoctor.model import Confidence


@probe(area=Area.PODS, healthy="a new pod gets a network", symptom=True)
def new_pod_without_network(pod: NewPod | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """The CNI did not connect it in time."""
    if not isinstance(pod, CannotRead):
        return
    if pod.why is not Why.NO_NETWORK:
        raise pod
    evidence = (Evidence("test pod", pod.reason, "a network"), *this.not_ready())
    yield Finding(f"a new pod gets {pod.reason}", evidence, Subject(node=this.name), confidence=Confidence.CONFIRMED)
