"""Nothing of a twin touches the node or outlives its process; twelve stand side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from netdoctor.twin.tracer import walk
from tests.twin.network import FLOWS, Node, real

pytestmark = real

SHOWN = """nft -s list ruleset; iptables-nft-save | grep -v '^#' | sed 's/[[].*[]]//'; ip -o link | cut -d: -f2,3
ip address; ip route show table all; ip rule
find /proc/sys/net -type f | grep -v -e count -e flush -e stable -e nf_log | sort | xargs grep -s ."""


def shown() -> str:
    """The machine's own namespace."""
    return subprocess.run(["sh", "-c", SHOWN], capture_output=True, text=True, check=False).stdout


def test_looking_and_trying_change_nothing(node: Node) -> None:
    time.sleep(2)  # until IPv6 has made its own addresses
    before, mine = node.text(SHOWN), shown()
    for _ in range(5):
        twin = build(node.state())
        twin.ask(FLOWS["outside"])
        walk(twin, FLOWS["service"])
        twin.close()
    assert node.text(SHOWN) == before
    assert shown() == mine


def started(pid: int | str) -> int:
    """When a process was started, in ticks of the machine."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def left_in(inodes: set[str], begin: int, end: int) -> list[str]:
    """The processes in these namespaces that were started then; the kernel soon gives an inode to somebody else."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inode, when = str((folder / "ns/net").stat().st_ino), started(folder.name)
        except OSError:
            continue
        if inode in inodes and begin <= when <= end:
            found.append(folder.name)
    return found


@pytest.mark.thorough
def test_twelve_side_by_side(node: Node) -> None:
    node.sh("iptables-nft -I FORWARD -p udp --dport 53 -j DROP")
    state = node.state()
    twins = [build(state) for _ in range(12)]
    try:
        assert {twin.ask(FLOWS["service"]).answer for twin in twins} == {Answer.OK}
        assert {twin.ask(FLOWS["outside"]).answer for twin in twins} == {Answer.TIMEOUT}
    finally:
        for twin in twins:
            twin.close()


HOLDER = """
import os, time
from tests.twin.network import small_node
from netdoctor.twin.build import build
with small_node() as node:
    twins = [build(node.state()) for _ in range(4)]
    inodes = [os.fstat(n.descriptor).st_ino for t in twins for n in t.namespaces.values()]
    print(*inodes, os.stat("/proc/self/ns/net").st_ino, flush=True)
    time.sleep(60)
"""


def test_kill_9_leaves_nothing() -> None:
    links = [line.split(":")[0] for line in Path("/proc/net/dev").read_text().splitlines()]
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    *made, own = holder.stdout.readline().split()
    assert len(set(made)) == 16
    assert own not in made
    begin = started(holder.pid)
    with subprocess.Popen(["sleep", "60"]) as last:
        end = started(last.pid)
        last.kill()
    assert str(holder.pid) in left_in({own}, begin, end)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    time.sleep(1)
    assert left_in({own, *made}, begin, end) == []
    assert [line.split(":")[0] for line in Path("/proc/net/dev").read_text().splitlines()] == links
    mounts = Path("/proc/self/mountinfo").read_text()
    assert not any(f"net:[{inode}]" in mounts for inode in made)
