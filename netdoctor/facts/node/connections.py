"""Who is connected to this node now: by ssh, to its listening sockets, and whom it is connected to itself."""

from __future__ import annotations

import ipaddress
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from netdoctor.errors import CannotRead, Why
from netdoctor.system import processes
from netdoctor.system.host import Host, process_environment

ESTABLISHED, LISTENING = "01", "0A"  # include/net/tcp_states.h
TABLES = ("tcp", "tcp6")
LOGIN_PROGRAMS = ("sshd", "dropbear")  # how the names of their processes begin
SSH_PORT = 22
VARIABLE = "SSH_CONNECTION"
MOST_PARENTS = 64


@dataclass(frozen=True, slots=True)
class Connection:
    """An established TCP connection of the node with another machine."""

    peer: str
    peer_port: int
    address: str  # the node's end
    port: int
    inbound: bool  # whether it came in at a listening socket
    login: bool = False  # by ssh
    you: bool = False  # the one that netdoctor was started over
    now: bool = True  # false where SSH_CONNECTION alone names it: a terminal that outlived its connection


@dataclass(frozen=True, slots=True)
class Connections:
    """connections of this node"""

    items: tuple[Connection, ...]

    @classmethod
    def collect(cls, host: Host) -> Connections:
        """Read them where netdoctor runs. Raises CannotRead."""
        tables = [host.read_or_none(f"/proc/thread-self/net/{name}") for name in TABLES]
        if tables[0] is None:
            raise CannotRead("/proc/net/tcp", "no such file", Why.ABSENT)
        rows = [row for table in tables for row in sockets(table or "")]
        logins = _inodes_of_logins()
        found = [replace(c, login=c.login or (inode in logins and c.inbound)) for c, inode in connections(rows)]
        return cls(tuple(with_you(found, ssh_connection())))


@dataclass(frozen=True, slots=True)
class Socket:
    """A line of /proc/net/tcp."""

    address: str
    port: int
    peer: str
    peer_port: int
    state: str
    inode: str


def sockets(text: str) -> Iterator[Socket]:
    """The lines of a table of /proc/net; one that is damaged is passed over."""
    for line in text.splitlines()[1:]:
        words = line.split()
        with suppress(ValueError, IndexError, struct.error):
            yield Socket(*_end(words[1]), *_end(words[2]), words[3], words[9])


def connections(rows: Iterable[Socket]) -> Iterator[tuple[Connection, str]]:
    """The connections with other machines, each with the inode of its socket."""
    rows = list(rows)
    listening = {row.port for row in rows if row.state == LISTENING}
    for row in rows:
        peer = ipaddress.ip_address(row.peer)
        if row.state == ESTABLISHED and not peer.is_loopback and row.peer != row.address:
            inbound = row.port in listening
            login = inbound and row.port == SSH_PORT
            yield Connection(row.peer, row.peer_port, row.address, row.port, inbound, login), row.inode


def with_you(found: list[Connection], variable: str) -> Iterator[Connection]:
    """The connections, the one that SSH_CONNECTION names marked; added where the tables do not show it."""
    told = parse(variable)
    if told is None:
        yield from found
        return
    mine = [c for c in found if (c.peer, c.peer_port, c.port) == (told.peer, told.peer_port, told.port)]
    yield from (replace(c, login=True, you=True) if c in mine else c for c in found)
    if not mine:
        yield replace(told, now=False)


def parse(variable: str) -> Connection | None:
    """What SSH_CONNECTION says: peer, its port, own address, own port; None for anything else."""
    words = variable.split()
    if len(words) != 4 or not all(re.fullmatch(r"[0-9]{1,5}", word) for word in words[1::2]):
        return None
    try:
        peer, own = (_plain(ipaddress.ip_address(word.partition("%")[0])) for word in words[::2])
    except ValueError:
        return None
    if peer.is_loopback:
        return None
    return Connection(str(peer), int(words[1]), str(own), int(words[3]), inbound=True, login=True, you=True)


def ssh_connection(environment: Mapping[str, str] | None = None, pid: int | None = None) -> str:
    """SSH_CONNECTION as this process has it, or the nearest of its parents: sudo and su drop it; "" where none has."""
    if found := (os.environ if environment is None else environment).get(VARIABLE, ""):
        return found
    pid = os.getppid() if pid is None else pid
    for _ in range(MOST_PARENTS):
        folder = Path("/proc") / str(pid)
        try:
            variables = process_environment(pid)
            parent = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
        except (OSError, IndexError):
            return ""
        if VARIABLE in variables:
            return variables[VARIABLE]
        if not parent.isascii() or not parent.isdigit() or parent == "0":
            return ""
        pid = int(parent)
    return ""


def _inodes_of_logins() -> set[str]:
    """The inodes of the sockets that sshd and the like hold."""
    found = set()
    for folder in processes.folders():
        try:
            if (folder / "comm").read_text(encoding="utf-8", errors="replace").startswith(LOGIN_PROGRAMS):
                found |= processes.socket_inodes(folder)
        except OSError:  # it has ended meanwhile
            continue
    return found


def _end(word: str) -> tuple[str, int]:
    """Address and port as /proc/net writes them. Raises ValueError, struct.error."""
    address, _, port = word.partition(":")
    raw = b"".join(struct.pack("=I", int(address[start : start + 8], 16)) for start in range(0, len(address), 8))
    return str(_plain(ipaddress.ip_address(raw))), int(port, 16)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """IPv4 in IPv6's clothes as IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
