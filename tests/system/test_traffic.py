"""Real traffic between two network namespaces that are made for the test; nothing outside them is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import Dropped, trace
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns, ask_tcp, enter, in_namespace

NEEDED = [tool for tool in ("ip", "nft") if not shutil.which(tool)]
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or bool(NEEDED),
    reason=f"network namespaces need root and {' and '.join(NEEDED) or 'ip, nft'}",
)


def tracing_works() -> bool:
    return Path("/proc/net/netfilter").exists() or Path("/sys/module/nf_tables").exists()


SERVER = """
import socket, struct, sys, threading
import dns.flags, dns.message, dns.rcode, dns.rrset

def answer(wire):
    query = dns.message.from_wire(wire)
    name = query.question[0].name.to_text()
    if name == "silent.example.": return b""
    if name == "junk.example.": return b"\\x00\\x01junk"
    reply = dns.message.make_response(query)
    if name == "here.example.": reply.answer.append(dns.rrset.from_text(name, 1, "IN", "A", "192.0.2.7"))
    else: reply.set_rcode(dns.rcode.from_text(name.partition(".")[0].upper()))
    return reply.to_wire()

def tcp(listener):
    while True:
        connection, _ = listener.accept()
        wire = connection.recv(4096)
        out = answer(wire[2:]) if len(wire) > 2 else b""
        if out: connection.sendall(struct.pack("!H", len(out)) + out)
        connection.close()

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("10.9.8.2", 53))
listener = socket.create_server(("10.9.8.2", 53))
threading.Thread(target=tcp, args=(listener,), daemon=True).start()
print("ready", flush=True)
while True:
    wire, peer = udp.recvfrom(4096)
    if out := answer(wire): udp.sendto(out, peer)
"""
RULES = """
table inet filter {
    chain input {
        type filter hook input priority 0
        meta l4proto { tcp, udp } th dport 81 drop
        meta l4proto { tcp, udp } th dport 82 reject with icmp type admin-prohibited
        meta l4proto { tcp, udp } th dport 83 reject with icmp type host-unreachable
        tcp dport 84 reject with tcp reset
        udp dport 85 reject with icmp type port-unreachable
    }
}
"""


def run(*argv: str, stdin: str = "") -> None:
    subprocess.run(argv, check=True, capture_output=True, text=True, input=stdin, timeout=10)


@pytest.fixture(scope="module")
def client() -> Iterator[str]:
    """The path of a namespace that is joined to another one, in which a DNS server and rules are."""
    tag = f"nd{os.getpid()}"
    near, far = f"{tag}-near", f"{tag}-far"
    server = None
    try:
        for name in (near, far):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", near, "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", far)
        for name, device, address in ((near, "v0", "10.9.8.1/24"), (far, "v1", "10.9.8.2/24")):
            run("ip", "-n", name, "address", "add", address, "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "netns", "exec", far, "nft", "-f", "-", stdin=RULES)
        server = subprocess.Popen(
            ["ip", "netns", "exec", far, sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield f"/run/netns/{near}"
    finally:
        if server:
            server.kill()
            server.communicate()
        for name in (near, far):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True, timeout=10)


def tcp(client: str, port: int, address: str = "10.9.8.2", timeout: float = 0.4) -> Reply:
    return in_namespace(client, lambda: ask_tcp(address, port, timeout)).result(5)


def dns(client: str, name: str, *, over_tcp: bool = False, port: int = 53) -> Reply:
    return in_namespace(client, lambda: ask_dns("10.9.8.2", name, 0.4, over_tcp=over_tcp, port=port)).result(5)


@pytest.mark.parametrize(
    ("port", "answer", "icmp"),
    [
        (53, Answer.OK, ""),
        (80, Answer.REFUSED, ""),
        (81, Answer.TIMEOUT, ""),
        (82, Answer.PROHIBITED, "3/13 from 10.9.8.2"),
        (83, Answer.HOST_UNREACHABLE, "3/1 from 10.9.8.2"),
        (84, Answer.REFUSED, ""),
    ],
)
def test_tcp(client: str, port: int, answer: Answer, icmp: str) -> None:
    time.sleep(0.02)  # the kernel limits how many ICMP errors it sends
    reply = tcp(client, port)
    assert (reply.answer, reply.icmp) == (answer, icmp)
    if answer is Answer.TIMEOUT:
        assert reply.milliseconds >= 380
        assert str(reply).startswith("no answer within ")


@pytest.mark.parametrize(
    ("port", "answer", "icmp"),
    [
        (80, Answer.REFUSED, "3/3 from 10.9.8.2"),
        (81, Answer.TIMEOUT, ""),
        (82, Answer.PROHIBITED, "3/13 from 10.9.8.2"),
        (85, Answer.REFUSED, "3/3 from 10.9.8.2"),
    ],
)
def test_udp(client: str, port: int, answer: Answer, icmp: str) -> None:
    reply = dns(client, "here.example.", port=port)
    assert (reply.answer, reply.icmp) == (answer, icmp)


@pytest.mark.parametrize("over_tcp", [False, True])
@pytest.mark.parametrize(
    ("name", "answer", "detail"),
    [
        ("here.example.", Answer.OK, "192.0.2.7"),
        ("nxdomain.example.", Answer.NXDOMAIN, "NXDOMAIN"),
        ("servfail.example.", Answer.SERVFAIL, "SERVFAIL"),
        ("refused.example.", Answer.DNS_REFUSED, "REFUSED"),
        ("notimp.example.", Answer.ERROR, "NOTIMP"),
    ],
)
def test_dns(client: str, name: str, answer: Answer, detail: str, over_tcp: bool) -> None:
    reply = dns(client, name, over_tcp=over_tcp)
    assert (reply.answer, reply.detail) == (answer, detail)


def test_a_resolver_that_says_nothing_or_junk(client: str) -> None:
    assert dns(client, "silent.example.").answer is Answer.TIMEOUT
    assert dns(client, "silent.example.", over_tcp=True).answer is Answer.CLOSED
    assert dns(client, "junk.example.").answer is Answer.ERROR


def test_no_route(client: str) -> None:
    reply = tcp(client, 80, "198.51.100.1")
    assert reply.answer is Answer.NET_UNREACHABLE
    assert not reply.arrived


@pytest.mark.thorough
def test_a_neighbour_that_is_not_there(client: str) -> None:
    assert tcp(client, 80, "10.9.8.99", timeout=4).answer is Answer.HOST_UNREACHABLE


def test_a_namespace_that_is_not_there(client: str) -> None:
    replies = ask_all([("/run/netns/nowhere-at-all", lambda: ask_tcp("10.9.8.2", 53, 1)),
                       (client, lambda: ask_tcp("10.9.8.2", 53, 1))], 1)  # fmt: skip
    assert [r.answer for r in replies] == [Answer.ERROR, Answer.OK]
    assert "No such file" in replies[0].detail
    with pytest.raises(CannotRead, match="Invalid argument"):
        in_namespace("/dev/null", lambda: None).result(1)


def test_a_namespace_stays_in_its_thread(client: str) -> None:
    def here() -> str:
        return str(Path("/proc/thread-self/ns/net").readlink())

    before = here()
    inside = in_namespace(client, here).result(1)
    assert inside != before
    assert here() == before
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: here(), range(8))) == {before}
    thread = threading.Thread(target=enter, args=(client,))
    thread.start()
    thread.join()
    assert here() == before


@pytest.mark.thorough
def test_many_questions_wait_together_and_none_beyond_its_time(client: str) -> None:
    begin = time.monotonic()
    silent = [(client, lambda: ask_tcp("10.9.8.2", 81, 0.4))] * 40

    def stuck() -> Reply:
        time.sleep(5)
        return Reply(Answer.OK, 0)

    replies = ask_all([*silent, (client, stuck)], 0.4)
    assert {r.answer for r in replies} == {Answer.TIMEOUT}
    assert time.monotonic() - begin < 4  # one after the other they take 16 s, and who is stuck 5 s


def traced(client: str, port: int) -> Dropped:
    """Ask from the near namespace while the packets are traced in the far one."""

    def ask() -> object:
        return in_namespace(client, lambda: ask_tcp("10.9.8.2", port, 0.1)).result(2)

    far = client.replace("-near", "-far")
    return in_namespace(far, lambda: trace(Host(), "10.9.8.1", "10.9.8.2", "tcp", port, ask)).result(10)


@pytest.mark.skipif(not (os.geteuid() == 0 and tracing_works()), reason="this kernel sends no nftables trace events")
def test_the_rule_that_drops_is_named_and_the_trace_leaves_nothing(client: str) -> None:
    far = client.replace("-near", "-far")

    def ruleset() -> str:
        return in_namespace(far, lambda: Host().run(["nft", "-s", "list", "ruleset"])).result(5)

    before = ruleset()
    dropped = traced(client, 81)
    assert (dropped.family, dropped.table, dropped.chain) == ("inet", "filter", "input")
    assert dropped.handle > 0
    assert dropped.text.endswith("81 drop")
    assert not traced(client, 53).by_rule
    assert ruleset() == before
