"""Pods whose control groups were named for systemd and made by a runtime that does not ask it.

The kubelet with the driver systemd gives a pod the group `kubepods-...-podUID.slice`. A runtime with the same driver
has systemd make a scope in that slice; one with the driver cgroupfs takes the whole name, `SLICE:PREFIX:ID`, for a
folder (containerd: internal/cri/server/helpers.go, getCgroupsPath; CRI-O: internal/config/cgmgr).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.system import processes
from netdoctor.system.host import Host
from netdoctor.system.pod_cgroup import pod_uid

NAMED_FOR_SYSTEMD = re.compile(r"/[\w-]+\.slice:(cri-containerd|crio):")


@dataclass(frozen=True, slots=True)
class ContainerGroups:
    """control groups of pods"""

    misnamed: tuple[tuple[str, str], ...]  # of each pod the uid, and the prefix that its runtime writes

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host) -> ContainerGroups:
        """Look at the groups of every process."""
        found: dict[str, str] = {}
        for folder in processes.folders():
            try:
                groups = host.read(folder / "cgroup")
            except CannotRead:  # it has ended
                continue
            match = NAMED_FOR_SYSTEMD.search(groups)
            if match and (uid := pod_uid(groups)):
                found[uid] = match[1]
        return cls(tuple(sorted(found.items())))
