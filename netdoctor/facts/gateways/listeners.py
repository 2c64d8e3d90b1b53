"""Who listens on the ports of this node that modules with hostNetwork want."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.system import processes
from netdoctor.system.host import Host

LISTEN = "0A"  # the state in /proc/net/tcp: include/net/tcp_states.h
PORT = re.compile(r"[0-9A-Fa-f]+:([0-9A-Fa-f]{4})")
TABLES = ("/proc/1/net/tcp", "/proc/1/net/tcp6")


@dataclass(frozen=True, slots=True)
class ListeningProcess:
    """A process that has a port."""

    port: int
    process: str  # its name; "" where it is not known
    pid: int
    cgroup: str  # its path holds the uid of its pod


@dataclass(frozen=True, slots=True)
class Listeners:
    """listening processes"""

    items: tuple[ListeningProcess, ...]

    @classmethod
    def collect(cls, host: Host, modules: Modules) -> Listeners:
        """The listeners on the ports of modules with hostNetwork; without such a module nothing is read."""
        wanted = {g.container_port for g in modules.gateways if g.host_network}
        if not wanted:
            return cls(())
        sockets = parse("\n".join(host.read_or_none(path) or "" for path in TABLES))
        inodes = {inode: port for inode, port in sockets.items() if port in wanted}
        return cls(tuple(owners(host, inodes)))


def parse(text: str) -> dict[str, int]:
    """Ports by the inode of the socket that listens there."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 9 and words[3] == LISTEN and (port := PORT.fullmatch(words[1])):
            found[words[9]] = int(port[1], 16)
    return found


def owners(host: Host, inodes: dict[str, int]) -> list[ListeningProcess]:
    """The process behind each socket; one that nobody may look into stays without a name."""
    found: dict[int, ListeningProcess] = {port: ListeningProcess(port, "", 0, "") for port in inodes.values()}
    for folder in processes.folders() if inodes else ():
        try:
            held = processes.socket_inodes(folder)
        except OSError:
            continue  # it ended meanwhile, or is not ours to look into
        for inode in held & inodes.keys():
            try:
                command, cgroup = host.read(folder / "comm").strip(), host.read(folder / "cgroup")
            except CannotRead:
                continue
            port = inodes[inode]
            found[port] = ListeningProcess(port, command, int(folder.name), cgroup.replace("_", "-"))
    return list(found.values())
