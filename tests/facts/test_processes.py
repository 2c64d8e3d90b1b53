"""The processes of this machine: each folder of /proc, those of a pod, and the sockets that one holds."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.system import processes
from netdoctor.system.host import Host

MINE = Path("/proc") / str(os.getpid())


@dataclass(frozen=True)
class OfOnePod(Host):
    """This process is one of a pod; of the others the kernel tells nothing any more."""

    def read(self, path: str | Path) -> str:
        if Path(path) == MINE / "cgroup":
            return "0::/kubepods/podaaaa_1/x\n"
        raise CannotRead(str(path), "it has ended")


def test_each_process_has_a_folder() -> None:
    assert MINE in set(processes.folders())


def test_a_pods_processes_are_known_by_their_cgroup() -> None:
    assert list(processes.of_pods(OfOnePod(), {"aaaa-1"})) == [("aaaa-1", str(os.getpid()))]
    assert list(processes.of_pods(OfOnePod(), {"aaaa-2"})) == []
    assert list(processes.of_pods(OfOnePod(), ())) == []


def test_a_process_holds_its_sockets() -> None:
    with socket.socket() as held, socket.socket() as other:
        inode, another = (str(os.fstat(each.fileno()).st_ino) for each in (held, other))
        with subprocess.Popen(["sleep", "60"], pass_fds=(held.fileno(),)) as child:
            try:
                found = processes.socket_inodes(Path("/proc") / str(child.pid))
            finally:
                child.kill()
    assert inode in found
    assert another not in found
