"""Large packets between real network namespaces, with a router between them that takes smaller ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from netdoctor.system.path_mtu import ask_echo, ask_stream, link_mtu, padded_question
from netdoctor.system.traffic import Answer, Reply, ask_all, in_namespace

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nft", "unshare"))),
    reason="network namespaces need root, ip, nft and unshare",
)
FAR, SECONDS = "10.9.9.2", 0.5
SINK = """
import socket, threading
listener = socket.create_server(("0.0.0.0", 53))
kept = []
while True:
    kept.append(listener.accept()[0])
"""
SETUP = """
set -e
ip link add near type veth peer name here netns {client}
ip link add far type veth peer name there netns {server}
ip address add 10.9.8.1/24 dev near
ip address add 10.9.9.1/24 dev far
ip link set near up
ip link set far up
sysctl -qw net.ipv4.ip_forward=1
nsenter --net=/proc/{client}/ns/net sh -c 'ip address add 10.9.8.2/24 dev here
  ip link set here up; ip route add default via 10.9.8.1'
nsenter --net=/proc/{server}/ns/net sh -c 'ip address add 10.9.9.2/24 dev there
  ip link set there up; ip route add default via 10.9.9.1'
"""


class Way:
    """A client, a router and a server."""

    def __init__(self, client: int, router: int, server: int) -> None:
        self.client, self.router, self.server = client, router, server

    def at_router(self, line: str) -> None:
        subprocess.run(["nsenter", f"--net=/proc/{self.router}/ns/net", "sh", "-ec", line], check=True)

    def asks(self, *questions: partial[Reply]) -> list[Answer]:
        netns = f"/proc/{self.client}/ns/net"
        return [reply.answer for reply in ask_all([(netns, question) for question in questions], 2 * SECONDS)]


@pytest.fixture
def path() -> Iterator[Way]:
    sleeper = ["unshare", "--net", "sh", "-c", "echo; exec sleep 60"]
    server = ["unshare", "--net", sys.executable, "-c", SINK]
    with (
        subprocess.Popen(sleeper, stdout=subprocess.PIPE) as client,
        subprocess.Popen(sleeper, stdout=subprocess.PIPE) as router,
        subprocess.Popen(server) as far,
    ):
        try:
            for started in (client, router):
                assert started.stdout
                started.stdout.readline()
            own, until = Path("/proc/self/ns/net").readlink(), time.monotonic() + 5
            while time.monotonic() < until and Path(f"/proc/{far.pid}/ns/net").readlink() == own:
                time.sleep(0.02)
            made = Way(client.pid, router.pid, far.pid)
            made.at_router(SETUP.format(client=client.pid, server=far.pid))
            while made.asks(partial(ask_stream, FAR, 53, padded_question(100), SECONDS)) != [Answer.OK]:
                assert time.monotonic() < until
            yield made
        finally:
            for started in (client, router, far):
                started.kill()


def echo(size: int) -> partial[Reply]:
    return partial(ask_echo, FAR, size, SECONDS)


def stream(segment: int = 0) -> partial[Reply]:
    return partial(ask_stream, FAR, 53, padded_question(3000), SECONDS, segment=segment)


def test_a_wide_path(path: Way) -> None:
    assert path.asks(echo(84), echo(1500), stream(), stream(1100)) == [Answer.OK] * 4
    assert in_namespace(f"/proc/{path.client}/ns/net", partial(link_mtu, FAR)).result() == 1500


def test_a_path_that_swallows_large_packets(path: Way) -> None:
    path.at_router(
        "nft add table ip narrow; nft 'add chain ip narrow hop { type filter hook forward priority 0; }';"
        "nft add rule ip narrow hop meta length gt 1400 drop"
    )
    wanted = [Answer.OK, Answer.TIMEOUT, Answer.TIMEOUT, Answer.OK]
    assert path.asks(echo(1400), echo(1500), stream(), stream(1100)) == wanted


def test_a_path_that_says_so(path: Way) -> None:
    path.at_router("ip link set far mtu 1400")
    netns = f"/proc/{path.client}/ns/net"
    (reply,) = ask_all([(netns, echo(1500))], 1.0)
    assert (reply.answer, reply.icmp) == (Answer.ERROR, "3/4 from 10.9.8.1")
    assert path.asks(stream()) == [Answer.OK]


def test_nobody_there(path: Way) -> None:
    lost = [partial(ask_echo, "10.9.9.77", 84, SECONDS), partial(ask_stream, FAR, 54, padded_question(9), SECONDS)]
    assert path.asks(*lost) in ([Answer.TIMEOUT, Answer.REFUSED], [Answer.ERROR, Answer.REFUSED])
