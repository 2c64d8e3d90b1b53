"""Pods' control groups, as the kernel writes them for a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdoctor.facts.node.container_groups import ContainerGroups
from netdoctor.system import processes
from netdoctor.system.host import Host

UID = "9d0c41a7-6b1e-4f06-8b0a-2f7d5f3c2f11"
SLICE = f"kubepods-besteffort-pod{UID.replace('-', '_')}.slice"
IDENTIFIER = "4f" * 32
GROUPS = {
    "cgroupfs under systemd's name": f"0::/system.slice/containerd.service/{SLICE}:cri-containerd:{IDENTIFIER}\n",
    "the same on version 1": f"12:pids:/{SLICE}:cri-containerd:{IDENTIFIER}\n1:name=systemd:/init.scope\n",
    "CRI-O": f"0::/{SLICE}:crio:{IDENTIFIER}\n",
    "systemd": f"0::/kubepods.slice/kubepods-besteffort.slice/{SLICE}/cri-containerd-{IDENTIFIER}.scope\n",
    "cgroupfs": f"0::/kubepods/besteffort/pod{UID}/{IDENTIFIER}\n",
    "no pod's": "0::/system.slice/ssh.service\n",
    "a container's own name": f"0::/kubepods/besteffort/pod{UID}/a:cri-containerd:b\n",
}
MISNAMED = {
    "cgroupfs under systemd's name": "cri-containerd", "the same on version 1": "cri-containerd", "CRI-O": "crio",
}  # fmt: skip


@pytest.mark.parametrize("kind", GROUPS)
def test_a_group_that_is_named_for_systemd_and_made_without_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1/cgroup").write_text(GROUPS[kind])
    monkeypatch.setattr(processes, "folders", lambda: iter([tmp_path / "1", tmp_path / "2"]))
    expected = ((UID, MISNAMED[kind]),) if kind in MISNAMED else ()
    assert ContainerGroups.collect(Host()).misnamed == expected
