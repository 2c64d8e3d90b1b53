"""Nothing of a twin touches the node or outlives its process; twelve stand side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from netdoctor.twin.tracer import walk
from tests.twin.network import FLOWS, Node, real

pytestmark = [pytest.mark.thorough, real]

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


def with_mark(mark: str) -> list[str]:
    """The processes that have this word in their environment: one that somebody started, and all that it started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in environment:
            found.append(folder.name)
    return found


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
    mark = uuid4().hex
    environment = {**os.environ, "NETDOCTOR_TEST_MARK": mark}
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, env=environment)
    assert holder.stdout is not None
    *made, own = holder.stdout.readline().split()
    assert len(set(made)) == 16
    assert own not in made
    assert str(holder.pid) in with_mark(mark)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    time.sleep(1)
    assert with_mark(mark) == []
    assert [line.split(":")[0] for line in Path("/proc/net/dev").read_text().splitlines()] == links
    mounts = Path("/proc/self/mountinfo").read_text()
    assert not any(f"net:[{inode}]" in mounts for inode in made)
