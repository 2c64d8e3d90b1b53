"""The processes of this machine, as /proc shows them; each may end while it is looked at."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host
from netdoctor.system.pod_cgroup import pod_uid

SOCKET = re.compile(r"socket:\[([0-9]+)\]")  # where a descriptor of one leads


def folders() -> Iterator[Path]:
    """/proc/PID of each process."""
    return Path("/proc").glob("[0-9]*")


def of_pods(host: Host, uids: Collection[str]) -> Iterator[tuple[str, str]]:
    """The uid of the pod, out of these, and the PID of each process that is in one; without uids none is looked at."""
    for folder in folders() if uids else ():
        try:
            uid = pod_uid(host.read(folder / "cgroup"))
        except CannotRead:  # it has ended
            continue
        if uid in uids:
            yield uid, folder.name


def socket_inodes(folder: Path) -> set[str]:
    """The inodes of the sockets that a process holds. Raises OSError, also where only root may look."""
    names = []
    for entry in (folder / "fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            names.append(str(entry.readlink()))
    matches = [SOCKET.fullmatch(name) for name in names]
    return {match[1] for match in matches if match}
