"""The kubelet and the container runtime have different cgroup drivers.

## What it checks
The control groups of pods' processes. A group called `SLICE:cri-containerd:ID` (`SLICE:crio:ID`) is one that the
kubelet has named for systemd, and that the runtime has made as a plain folder, beside the pod's own slice.

## Why it matters
The containers are not in the group of their pod, so its limits do not hold for them. systemd does not know these
groups, and may end what is in them. Pods are then killed and created again now and then, and the network looks
unreliable. It is a warning: the network itself is right.

## When it is not a fault
Pods that were created before the setting was changed keep their groups until they are created again.

## By hand
containerd: `SystemdCgroup = true` in the options of runc in /etc/containerd/config.toml; CRI-O:
`cgroup_manager = "systemd"`. Restart the runtime and the kubelet, and have the pods created again (`kubectl drain`). A
kubelet since 1.28 asks the runtime for its driver.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.container_groups import ContainerGroups
from netdoctor.model import Confidence
from netdoctor.shell import command

SETTINGS = {
    "cri-containerd": command("sudo grep -rn SystemdCgroup /etc/containerd"),
    "crio": command("sudo grep -rn cgroup_manager /etc/crio"),
}


@probe(area=Area.NODE, healthy="the kubelet and the runtime have the same cgroup driver")
def cgroup_drivers_differ(groups: ContainerGroups, this: ThisNode) -> Iterator[Finding]:
    """Pods whose containers are not in the group of their pod."""
    if not groups.misnamed:
        return
    count, prefix = len(groups.misnamed), groups.misnamed[0][1]
    data = Values(name=f"SLICE:{prefix}:ID", count=count)
    yield Finding(
        f"the kubelet has the cgroup driver systemd and the container runtime has cgroupfs: {count} "
        f"{'pod is' if count == 1 else 'pods are'} outside the groups that hold their limits, and may be killed",
        (Evidence("control groups of pods", f"SLICE:{prefix}:ID", "a scope in the pod's slice", data),),
        Subject(node=this.name),
        Severity.WARNING,
        Confidence.CONFIRMED,
        by_hand=SETTINGS.get(prefix, ()),
    )
