"""IPv6 in the twin: a node with two pods in namespaces of the test's own, broken in turn, and asked beside its copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netdoctor.experiments.interventions import Situation
from netdoctor.experiments.search import Search
from netdoctor.experiments.work_limit import WorkLimit
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.asked import Asked
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.build import build
from netdoctor.twin.capture import capture
from netdoctor.twin.listening import Responder
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.state import Listener, State
from netdoctor.twin.tracer import walk
from netdoctor.twin.twin import NODE, OUTSIDE, Flow, alike
from tests.twin.real_namespaces import RealNamespaces

LACKING = [tool for tool in ("ip", "nft", "ip6tables") if not shutil.which(tool)]
NO_IPV6 = not Path("/proc/sys/net/ipv6").exists()
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(
        os.geteuid() != 0 or bool(LACKING) or NO_IPV6,
        reason=f"it needs root, and {'IPv6' if NO_IPV6 else ' and '.join(LACKING) or 'ip, nft, ip6tables'}",
    ),
]

NODE_IP, POD, OTHER, FAR = "2001:db8:77::2", "fd00:244::a", "fd00:244::b", "2001:db8:99::53"
PODS = {"default/a": POD, "default/b": OTHER}
CLUSTER = ClusterAddresses((), ("fd00:244::/64",), (NODE_IP,))
MASQUERADE = """
table ip6 nat {
    chain postrouting {
        type nat hook postrouting priority 100
        ip6 saddr fd00:244::/64 ip6 daddr != fd00:244::/64 masquerade
    }
}
"""
FILTER = "add table ip6 mine; add chain ip6 mine forward { type filter hook forward priority 0; }; "
REJECT = "meta l4proto { tcp, udp } reject with icmpv6 admin-prohibited"
SECONDS = 0.25  # for an answer of the real namespaces


@dataclass(frozen=True)
class Net(RealNamespaces):
    """The namespaces: the node, its pods, and the outside."""

    seconds = SECONDS

    def state(self) -> State:
        """Their state."""
        pods = {name: (self.namespaces[name].path, address) for name, address in PODS.items()}
        return capture(pods, node=self.namespaces[NODE].path)


@pytest.fixture
def net(request: pytest.FixtureRequest) -> Iterator[Net]:
    """A healthy node; its default route leads to the parameter, else to a link-local address, as RAs have it."""
    gateway = getattr(request, "param", "fe80::1")
    made = Net({name: Namespace.new() for name in (NODE, OUTSIDE, *PODS)})
    answers = Responder()
    settings = "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.icmp.ratelimit=0; ip link set lo up"
    try:
        made.run(OUTSIDE, settings)
        made.run(
            NODE,
            settings,
            "ip link add cbr type bridge; ip link set cbr up; ip address add fd00:244::1/64 dev cbr nodad",
            f"ip link add eth0 type veth peer name gw netns {made.path(OUTSIDE)}; ip link set eth0 up",
            f"ip address add {NODE_IP}/64 dev eth0 nodad; ip route add default via {gateway} dev eth0",
            "sysctl -qw net.ipv6.conf.all.forwarding=1",
            f"nft -f - <<'END'{MASQUERADE}END",
            *(
                f"ip link add v{number} type veth peer name eth0 netns {made.path(name)};"
                f"ip link set v{number} master cbr up"
                for number, name in enumerate(PODS)
            ),
        )
        for name, address in PODS.items():
            device = f"ip link set eth0 up; ip address add {address}/64 dev eth0 nodad"
            made.run(name, settings, device, "ip route add default via fd00:244::1")
        made.run(
            OUTSIDE,
            "ip link set gw up; ip address add 2001:db8:77::1/64 dev gw nodad; ip address add fe80::1/64 dev gw nodad",
            f"ip address add {FAR}/128 dev lo",
        )
        for where, address in (("default/b", "::"), (OUTSIDE, FAR)):
            listeners = [Listener(protocol, address, port) for protocol, port in (("udp", 53), ("tcp", 80))]
            made.namespaces[where].run(lambda them=listeners: answers.listen_all(them))  # type: ignore[misc]
        until = time.monotonic() + 5  # links and addresses work a moment after they are made
        ready = [Flow(NODE, FAR, "udp", 53), Flow("default/a", FAR, "udp", 53), Flow("default/a", OTHER, "udp", 53)]
        while not all(reply.arrived for reply in made.ask_all(ready)):
            assert time.monotonic() < until
        yield made
    finally:
        answers.close()
        for namespace in made.namespaces.values():
            namespace.close()


def flow(state: State, source: str, destination: str, protocol: str, port: int) -> Flow:
    return flow_of(source, destination, protocol, port, state, CLUSTER)


FLOWS = (
    ("default/a", OTHER, "udp", 53), ("default/a", OTHER, "tcp", 80), ("default/a", FAR, "udp", 53),
    ("default/a", FAR, "tcp", 80), ("default/a", OTHER, "tcp", 9), ("default/a", OTHER, "udp", 9),
    (NODE, FAR, "tcp", 80), (NODE, OTHER, "udp", 53), ("default/a", "fd00:244::1", "tcp", 9),
)  # fmt: skip
TO_POD, TO_FAR = FLOWS[0], FLOWS[2]

CASES = {
    "healthy": ("true", TO_FAR, Answer.OK, ""),
    "nft drops": (f"nft '{FILTER}add rule ip6 mine forward udp dport 53 drop'", TO_FAR, Answer.TIMEOUT, ""),
    "nft rejects": (
        f"nft '{FILTER}add rule ip6 mine forward meta l4proto {{ tcp, udp }} reject with icmpv6 type admin-prohibited'",
        TO_FAR, Answer.PROHIBITED, "1/1 from fd00:244::1",
    ),
    "nft says no route": (
        f"nft '{FILTER}add rule ip6 mine forward meta l4proto {{ tcp, udp }} reject with icmpv6 type no-route'",
        TO_FAR, Answer.NET_UNREACHABLE, "1/0 from fd00:244::1",
    ),
    "ip6tables drops": ("ip6tables -A FORWARD -p udp --dport 53 -j DROP", TO_FAR, Answer.TIMEOUT, ""),
    "ip6tables rejects": ("ip6tables -P FORWARD DROP; ip6tables -I FORWARD -j REJECT", TO_FAR, Answer.REFUSED,
                          "1/4 from fd00:244::1"),
    "policy drops": ("ip6tables -P FORWARD DROP", TO_FAR, Answer.TIMEOUT, ""),
    "no forwarding": ("sysctl -qw net.ipv6.conf.all.forwarding=0", TO_FAR, Answer.TIMEOUT, ""),
    "no default route": ("ip -6 route del default", TO_FAR, Answer.NET_UNREACHABLE, "1/0 from fd00:244::1"),
    "prohibited": (f"ip -6 route add prohibit {FAR}", TO_FAR, Answer.PROHIBITED, "1/1 from fd00:244::1"),
    "no masquerade": ("nft flush table ip6 nat", TO_FAR, Answer.TIMEOUT, ""),
    "uplink down": ("ip link set eth0 down", TO_FAR, Answer.NET_UNREACHABLE, "1/0 from fd00:244::1"),
    "the bridge's network lost": ("ip -6 route del fd00:244::/64 dev cbr", TO_FAR, Answer.TIMEOUT, ""),
    "neighbour discovery dropped": (
        "ip6tables -I OUTPUT -o eth0 -p icmpv6 --icmpv6-type neighbour-solicitation -j DROP;"
        "ip -6 neigh flush dev eth0", TO_FAR, Answer.TIMEOUT, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("net", "name"),
    [
        *(("fe80::1", name) for name in CASES),
        *(("2001:db8:77::1", name) for name in ("healthy", "neighbour discovery dropped")),
    ],
    indirect=["net"],
)
def test_every_flow_ends_as_on_the_node(net: Net, name: str) -> None:
    break_it, told, answer, icmp = CASES[name]
    net.run(NODE, break_it)
    state = net.state()
    flows = [flow(state, *each) for each in FLOWS]
    there = net.ask_all(flows)
    twin = build(state)
    try:
        here = twin.ask_all(flows, SECONDS)
    finally:
        twin.close()
    rows = [f"{each}: node {a}, twin {b}" for each, a, b in zip(flows, there, here, strict=True)]
    print(*rows, sep="\n")
    assert not [row for row, a, b in zip(rows, there, here, strict=True) if not alike(a, b)]
    seen = there[FLOWS.index(told)]
    assert (seen.answer, seen.icmp) == (answer, icmp)


def searched(state: State, asked: Flow, reply: Reply) -> list[tuple[str, ...]]:
    """The names of the smallest cures that a search finds."""
    search = Search(
        state,
        lambda failed, way, legacy: Situation(state, failed.flow, way, legacy, CLUSTER),
        lambda _twin, _asked: "",
        WorkLimit(),
    )
    found = search.run([Asked("asked", asked, reply)], list)[0]
    assert found.alike
    return sorted(tuple(each.name for each in cure) for cure in found.cures)


@pytest.mark.parametrize(
    ("name", "rule", "cure"),
    [
        ("nft rejects", REJECT, "accept-packets"),
        ("ip6tables drops", "-A FORWARD -p udp -m udp --dport 53 -j DROP", "accept-packets"),
        ("no forwarding", "", "forward-at-every-interface"),
        ("no default route", "", "add-default-route"),
        ("no masquerade", "", "masquerade-pods"),
    ],
)
def test_the_rule_is_named_and_the_cure_is_found(net: Net, name: str, rule: str, cure: str) -> None:
    net.run(NODE, CASES[name][0])
    state = net.state()
    asked = flow(state, *TO_FAR)
    (reply,) = net.ask_all([asked])
    twin = build(state)
    try:
        stop = walk(twin, asked).stop
    finally:
        twin.close()
    assert (stop.text.replace("icmpv6 type", "icmpv6") if stop else "") == rule
    assert searched(state, asked, reply) == [(cure,)]


def test_what_is_kept_of_addresses(net: Net) -> None:
    net.run(
        NODE,
        "ip address add 2001:db8:77::d/64 dev eth0 nodad preferred_lft 0",
        "ip address add 2001:db8:77::e/64 dev eth0 nodad noprefixroute mngtmpaddr",
        "sysctl -qw net.ipv6.conf.eth0.use_tempaddr=2",
        "ip neigh add proxy 2001:db8:77::f dev cbr",
    )
    look = """ip -6 -o address show | sed 's/nodad//; s/mngtmpaddr//; s/valid_lft.*//; s/  */ /g' | sort
    ip -6 route show | sort; ip -6 rule"""

    def text() -> str:
        return subprocess.run(["sh", "-c", look], check=True, capture_output=True, text=True, timeout=10).stdout

    there = net.namespaces[NODE].run(text)
    twin = build(net.state())
    try:
        assert twin.run(text) == there
    finally:
        twin.close()
