"""Who is connected to a node: lines of /proc/net/tcp, SSH_CONNECTION under sudo, and real sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from netdoctor.facts.node.connections import (
    Connection,
    Connections,
    connections,
    parse,
    sockets,
    ssh_connection,
    with_you,
)
from netdoctor.system.host import Host

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TAIL = "00000000:00000000 00:00000000 00000000     0        0"
# sshd at 0.0.0.0:22 and a login from 192.0.2.7; the API server's port; one that the node has opened itself
TCP = HEAD + "\n".join(
    f"   {n}: {local} {peer} {state} {TAIL} {inode} 1 0000000000000000 100 0 0 10 0"
    for n, (local, peer, state, inode) in enumerate([
        ("00000000:0016", "00000000:0000", "0A", 11), ("0A0200C0:0016", "070200C0:9C46", "01", 12),
        ("00000000:20FB", "00000000:0000", "0A", 13), ("0A0200C0:20FB", "090200C0:1388", "01", 14),
        ("0A0200C0:9C40", "0971CB00:0016", "01", 15), ("0100007F:20FB", "0100007F:1388", "01", 16),
        ("0A0200C0:20FB", "0A0200C0:1388", "01", 17), ("0A0200C0:20FB", "080200C0:1388", "06", 18),
    ])
)  # fmt: skip
MAPPED = HEAD + (
    "   0: 0000000000000000FFFF00000A0200C0:0016 0000000000000000FFFF0000070200C0:9C46 01 " + TAIL + " 21 1 0\n"
    "   1: B80D012001000000000000000A000000:0016 B80D0120010000000000000007000000:9C47 01 " + TAIL + " 22 1 0\n"
    "   2: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A " + TAIL + " 23 1 0\n"
    "   3: damaged\n   4: 00:xx 00:yy 01\n"
)


def test_lines_of_the_kernels_tables() -> None:
    found = [connection for connection, _ in connections(sockets(TCP))]
    assert found == [
        Connection("192.0.2.7", 40006, "192.0.2.10", 22, inbound=True, login=True),
        Connection("192.0.2.9", 5000, "192.0.2.10", 8443, inbound=True),
        Connection("0.203.113.9", 22, "192.0.2.10", 40000, inbound=False),
    ]


def test_ipv6_and_ipv4_in_its_clothes() -> None:
    found = [(c.peer, c.address, c.login) for c, _ in connections(sockets(MAPPED))]
    assert found == [("192.0.2.7", "192.0.2.10", True), ("2001:db8:0:1::7", "2001:db8:0:1::a", True)]


@pytest.mark.parametrize(
    "text",
    ["", "192.0.2.7", "192.0.2.7 1 192.0.2.10", "host 1 192.0.2.10 22", "192.0.2.7 ² 192.0.2.10 22",
     "127.0.0.1 1 127.0.0.1 22",
     "192.0.2.7 1 192.0.2.10 22; rm -rf /", "192.0.2.7 999999 192.0.2.10 22"],
)  # fmt: skip
def test_what_is_no_ssh_connection(text: str) -> None:
    assert parse(text) is None


def test_you_are_marked_or_added() -> None:
    there = [connection for connection, _ in connections(sockets(TCP))]
    marked = list(with_you(there, "192.0.2.7 40006 192.0.2.10 22"))
    assert [(c.peer, c.you) for c in marked] == [("192.0.2.7", True), ("192.0.2.9", False), ("0.203.113.9", False)]
    added = list(with_you(there, "2001:db8::7 40006 2001:db8::10 2222"))
    assert added[-1] == Connection(
        "2001:db8::7", 40006, "2001:db8::10", 2222, inbound=True, login=True, you=True, now=False
    )
    assert list(with_you(there, "")) == there


def test_what_sudo_drops_its_parents_have() -> None:
    """A shell with SSH_CONNECTION starts a program without it, twice over, as sudo and a script do."""
    told = "192.0.2.7 40006 192.0.2.10 22"
    program = "from netdoctor.facts.node.connections import ssh_connection; print(ssh_connection())"
    script = f"env -u SSH_CONNECTION sh -c '{sys.executable} -c \"{program}\"; true'; true"
    environment = {**os.environ, "SSH_CONNECTION": told}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environment, check=True, timeout=20)
    assert done.stdout.strip() == told
    assert ssh_connection({}, pid=1 << 30) == ""


def test_a_real_connection_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 40006 192.0.2.10 22")
    with socket.create_server(("127.0.0.2", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address, source_address=("127.0.0.3", 0)), server.accept()[0]:
            found = Connections.collect(Host()).items
    assert found[-1].you
    assert all(not c.peer.startswith("127.") for c in found)
