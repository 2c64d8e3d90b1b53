"""Which image the test pod names: a pause image that the node has, or one that no node has."""

from __future__ import annotations

import re

from netdoctor.facts.cluster.workloads import Node
from netdoctor.facts.gateways.images import of_runtime
from netdoctor.system.host import Host

# the last part of an image's name: pause, mirrored-pause, pause-amd64
PAUSE = re.compile(r"([a-z0-9._-]+-)?pause(-(amd64|arm64|arm|ppc64le|s390x))?")
# The kubelet makes a pod's sandbox, with its network, before it looks for the container's image, and keeps the sandbox
# while the container waits (SyncPod in pkg/kubelet/kuberuntime/kuberuntime_manager.go). A command that an image lacks
# would not do: the container fails, and the sandbox is stopped with it.
NO_IMAGE = "localhost/netdoctor/no-image:none"  # only the node's administrator could put one there


def is_pause(name: str) -> bool:
    """Whether the last part of an image's name, without tag and digest, is that of a pause image."""
    last = name.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return PAUSE.fullmatch(last) is not None


def image_of_test_pod(host: Host, node: Node) -> str:
    """A pause image that the node has, by its own list or by its runtime; else NO_IMAGE, which has a network too."""
    named = next(filter(is_pause, node.images), None)
    # the node lists its 50 largest images at most, and pause is the smallest
    return named or next(filter(is_pause, of_runtime(host)), NO_IMAGE)
