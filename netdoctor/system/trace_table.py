"""The table that marks the packets of one flow for nftables' trace, there for as long as it is held.

The kernel deletes it when the process that owns it ends, however that ends: an `nft -i` of our own, which ends when
this process does. Where kernel or nft know no owner of a table, it is deleted here, and what a killed run has left is
swept by the next.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host
from netdoctor.system.packages import not_installed

TABLE = "netdoctor_trace"
# the hooks' priorities lie between these: raw -300, conntrack -200, mangle -150, nat -100, filter 0, security 50
BRACKETS = {
    "prerouting": (-350, -195, -160, -90, 400),
    "input": (-400, -1, 5, 400),
    "forward": (-400, -1, 5, 49, 400),
    "postrouting": (-400, 99, 400),
}
BEGINNING = 2.0  # seconds for nft to make the table
GLANCE = 0.005
# an interactive nft would read the user's settings of readline and write its history
QUIET_ENVIRONMENT = {"LC_ALL": "C", "HOME": "/nonexistent", "INPUTRC": os.devnull}
_owners: set[subprocess.Popen[bytes]] = set()


@contextmanager
def held(host: Host, flow: str) -> Iterator[None]:
    """The table, for the length of a with block, in the calling thread's namespace. Raises CannotRead."""
    remove(host)
    if not (owner := _owned(host, flow)):
        host.run(["nft", "-f", "-"], stdin=_table(flow, ""))
    try:
        yield
    finally:
        if owner:
            _end(owner)
        else:
            remove(host)


def remove(host: Host) -> None:
    """Delete the table if it is there: ours, or that of a run that was killed. Raises CannotRead."""
    for owner in tuple(_owners):
        _end(owner)
    host.run(["nft", "-f", "-"], stdin=f"add table inet {TABLE}\ndelete table inet {TABLE}\n")


def sweep(host: Host) -> None:
    """Delete what a killed run has left, where nftables is loaded; one that belongs to a live run stays."""
    if not host.is_root or not Path("/proc/net/netfilter").exists():
        return
    with suppress(CannotRead):
        if f"table inet {TABLE}" in host.run(["nft", "list", "tables", "inet"]).splitlines():
            remove(host)


def _owned(host: Host, flow: str) -> subprocess.Popen[bytes] | None:
    """The process that owns the table once it is there; None where there can be none."""
    try:
        owner = subprocess.Popen(
            ["nft", "-i"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **QUIET_ENVIRONMENT},
        )
    except FileNotFoundError as error:
        raise not_installed("nft") from error
    except OSError as error:
        raise CannotRead.of("nft", error) from error
    _owners.add(owner)
    assert owner.stdin is not None
    assert owner.stderr is not None
    with suppress(BrokenPipeError):
        owner.stdin.write(_table(flow, "flags owner;").replace("\n", " ").encode() + b"\n")  # a line is a transaction
        owner.stdin.flush()
        end, poll = time.monotonic() + BEGINNING, select.poll()
        poll.register(owner.stderr, select.POLLIN)
        while time.monotonic() < end and not poll.poll(GLANCE * 1000):
            with suppress(CannotRead):
                host.run(["nft", "list", "table", "inet", TABLE])
                return owner
    _end(owner)
    return None


def _end(owner: subprocess.Popen[bytes]) -> None:
    """End the process, and with it the table."""
    owner.kill()
    owner.wait()
    for stream in (owner.stdin, owner.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    _owners.discard(owner)


def _table(flow: str, flags: str) -> str:
    lines = [f"table inet {TABLE} {{ {flags}"]
    for hook, priorities in BRACKETS.items():
        for priority in priorities:
            mark = f"{flow} meta nftrace set 1;" if priority == -350 else ""
            name = f"{hook}_{priority}".replace("-", "m")
            lines.append(f"chain {name} {{ type filter hook {hook} priority {priority}; policy accept; {mark} }};")
    return "\n".join([*lines, "}"])
