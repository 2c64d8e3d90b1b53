"""The twin of a small node: flows end in it as on the node."""

from __future__ import annotations

import shutil
import socket
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import listen
from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from netdoctor.twin.recorded_state import recorded as as_recorded
from netdoctor.twin.recorded_state import replayed
from netdoctor.twin.state import State
from netdoctor.twin.tracer import walk
from netdoctor.twin.twin import DOUBT, alike
from netdoctor.twin.wire.nftables import NftObject
from tests.twin.network import CLIENT, CLUSTER_IP, FLOWS, UPLINK_IS_BRIDGE, Node, real

pytestmark = real
BRIDGED = Path("/proc/sys/net/bridge").exists() or Path("/sys/module/br_netfilter").exists()


FAULTS = {
    "nothing": [],
    "forwarding off": ["sysctl -qw net.ipv4.ip_forward=0"],
    "one interface does not forward": ["sysctl -qw net.ipv4.conf.br0.forwarding=0"],
    "iptables drops": ["iptables-nft -I FORWARD -p udp --dport 53 -j DROP"],
    "iptables rejects": ["iptables-nft -I FORWARD -j REJECT --reject-with icmp-host-prohibited"],
    "iptables rejects plainly": ["iptables-nft -I FORWARD -j REJECT"],
    "the policy drops": ["iptables-nft -P FORWARD DROP"],
    "a table of somebody's": [
        "nft add table inet x", "nft add chain inet x f '{ type filter hook forward priority 5; }'",
        "nft add rule inet x f ip daddr 8.8.8.8 drop",
    ],
    "input is closed": ["iptables-nft -I INPUT -p tcp --dport 10250 -j DROP"],
    "no masquerade": ["iptables-nft -t nat -F POSTROUTING"],
    "no Service": ["iptables-nft -t nat -F KUBE-SERVICES"],
    "no default route": ["ip route del default"],
    "a blackhole": ["ip route add blackhole 8.8.8.8/32"],
    "a prohibit rule": ["ip rule add from 10.244.0.0/24 prohibit pref 50"],
    "the bridge is down": ["ip link set br0 down"],
    "a port is down": ["ip link set veth1 down"],
    "a port has left the bridge": ["ip link set veth1 nomaster"],
    "a port is disabled": ["bridge link set dev veth1 state 0"],
    "ports are isolated": ["bridge link set dev veth0 isolated on", "bridge link set dev veth1 isolated on"],
    "the uplink is down": ["ip link set eth0 down"],
    "the bridge has no address": ["ip address del 10.244.0.1/24 dev br0"],
    "a wrong neighbour": ["ip neighbour replace 10.244.0.11 lladdr 02:00:00:00:00:99 dev br0 nud permanent"],
    "nothing, and the uplink is a bridge": [*UPLINK_IS_BRIDGE],
    "no masquerade, and the uplink is a bridge": [*UPLINK_IS_BRIDGE, "iptables-nft -t nat -F POSTROUTING"],
    "the uplink is a bridge, and its port is down": [*UPLINK_IS_BRIDGE, "ip link set eth0 down"],
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", list(FAULTS))
def test_flows_end_as_on_the_node(name: str, node: Node) -> None:
    node.sh(*FAULTS[name])
    twin = build(node.state())
    try:
        copied = dict(zip(FLOWS, twin.ask_all(list(FLOWS.values()), DOUBT), strict=True))
    finally:
        twin.close()
    real_ends = node.ask_all()
    ends = {flow: (real_ends[flow], copied[flow]) for flow in FLOWS}
    # a busy machine may have kept the node itself from answering in time
    ends |= {flow: (node.ask(FLOWS[flow], 3), b) for flow, (a, b) in ends.items() if not alike(a, b)}
    differing = {flow: (str(a), str(b)) for flow, (a, b) in ends.items() if not alike(a, b)}
    assert differing == {}
    if name.startswith("nothing"):
        assert all(a.arrived for a, _ in ends.values())
    else:
        assert any(not a.arrived for a, _ in ends.values())


@pytest.mark.parametrize(
    ("break_it", "flow", "place"),
    [
        (["iptables-nft -A FORWARD -p tcp --dport 1 -j ACCEPT", "iptables-nft -A FORWARD -p udp --dport 53 -j DROP"],
         "outside", ("ip", "filter", "FORWARD", "-A FORWARD -p udp -m udp --dport 53 -j DROP")),
        (["iptables-nft -P FORWARD DROP"], "outside", ("ip", "filter", "FORWARD", "policy drop")),
        (["iptables-nft -A OUTPUT -p tcp --sport 10250 -j DROP"], "node",
         ("ip", "filter", "OUTPUT", "-A OUTPUT -p tcp -m tcp --sport 10250 -j DROP")),
        (["nft add table netdev d", "nft add chain netdev d i '{ type filter hook ingress device veth0 priority 0; }'",
          "nft add rule netdev d i udp dport 53 drop"], "outside", ("netdev", "d", "i", "udp dport 53 drop")),
        (["nft add table bridge b", "nft add chain bridge b f '{ type filter hook forward priority 0; }'",
          "nft add rule bridge b f tcp dport 5432 drop"], "pod", ("bridge", "b", "f", "tcp dport 5432 drop")),
    ],
    ids=["rule", "policy", "the answer", "ingress", "bridge"],
)  # fmt: skip
def test_the_walk_names_the_rule(break_it: list[str], flow: str, place: tuple[str, str, str, str], node: Node) -> None:
    node.sh(*break_it)
    twin = build(node.state())
    try:
        stop = walk(twin, FLOWS[flow]).stop
    finally:
        twin.close()
    assert stop is not None
    assert (stop.family, stop.table, stop.chain, stop.text) == place
    if stop.handle:  # the node's own handle, not the copy's
        listed = node.text(f"nft -a list chain {stop.family} {stop.table} {stop.chain}")
        assert f"# handle {stop.handle}\n" in listed


def test_a_trace_that_cannot_begin_leaves_no_socket_open(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []

    def listening() -> socket.socket:
        opened.append(listen())
        return opened[-1]

    def without_nft(_: list[str]) -> None:
        raise CannotRead("nft", "is not installed")

    monkeypatch.setattr("netdoctor.twin.tracer.listen", listening)
    monkeypatch.setattr("netdoctor.twin.tracer._mark", without_nft)
    twin = build(node.state())
    try:
        with pytest.raises(CannotRead):
            walk(twin, FLOWS["outside"])
    finally:
        twin.close()
    assert [listener.fileno() for listener in opened] == [-1]


def test_a_packet_that_routing_loses_is_last_seen_before_forward(node: Node) -> None:
    node.sh("sysctl -qw net.ipv4.ip_forward=0")
    twin = build(node.state())
    try:
        way = walk(twin, FLOWS["outside"])
    finally:
        twin.close()
    assert way.stop is None
    assert "prerouting 400" in [step.chain for step in way.steps if step.interface_in == "br0"]
    assert not any(step.interface_in == "br0" and step.interface_out for step in way.steps)


def test_the_way_of_a_healthy_packet_shows_the_translation_and_the_answer(node: Node) -> None:
    twin = build(node.state())
    try:
        way = walk(twin, FLOWS["service"])
    finally:
        twin.close()
    assert way.reply.answer is Answer.OK
    seen = [step.packet.destination for step in way.steps if step.direction == "request"]
    assert seen[0] == CLUSTER_IP
    assert "10.244.0.11" in seen
    assert any(step.direction == "reply" for step in way.steps) or not BRIDGED
    assert any(step.chain == "KUBE-SVC-PG" for step in way.steps)


def output(command: str) -> str:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False).stdout


ODD = """
table inet odd {
  set s4 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.1-192.168.1.9 } }
  set pairs { type ipv4_addr . inet_service; elements = { 10.1.2.3 . 80 } }
  map verdicts { type inet_service : verdict; elements = { 22 : accept, 23 : drop } }
  counter hits { packets 5 bytes 300 }
  quota much { over 25 mbytes }
  chain input { type filter hook input priority 10; policy accept;
    ct state established,related accept
    ip saddr @s4 counter name "hits" comment "a comment"
    ip saddr . tcp dport @pairs accept
    tcp dport vmap @verdicts
    limit rate 5/second accept
  }
  chain nat { type nat hook prerouting priority -90; ip daddr 203.0.113.1 tcp dport 80 dnat ip to 10.1.1.1:8080; }
}
table bridge frames {
  chain f { type filter hook forward priority 0; ether type arp accept; }
}
table arp answers {
  chain i { type filter hook input priority 0; arp operation reply accept; }
}
"""


def test_the_rules_are_copied_to_the_letter(node: Node) -> None:
    node.namespaces["node"].run(lambda: Host().run(["nft", "-f", "-"], stdin=ODD))
    node.sh(
        "iptables-nft -A FORWARD -p tcp -m multiport --dports 80,443 -m conntrack --ctstate NEW "
        "-m comment --comment 'odd, but right' -j ACCEPT",
        "iptables-nft -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        "iptables-nft -A INPUT -p icmp -m icmp --icmp-type 8 -m limit --limit 5/sec -j ACCEPT",
        "iptables-nft -A INPUT -m statistic --mode random --probability 0.5 -j RETURN",
    )
    twin = build(node.state())
    try:
        for command in ("nft -s list ruleset", "iptables-nft-save | sed 's/\\[[0-9:]*\\]//; /^#/d'"):
            there = twin.run(partial(output, command))
            assert there == node.text(command)
        assert "dports 80,443" in there
    finally:
        twin.close()


def test_addresses_routes_and_rules_are_copied(node: Node) -> None:
    node.sh(
        "ip route add 198.51.100.0/24 via 192.0.2.1 metric 7", "ip route add unreachable 203.0.113.0/24 table 77",
        "ip rule add from 10.9.0.0/16 lookup 77 pref 90", "ip address add 192.0.2.99/32 dev eth0",
        "ip route del 10.244.0.0/24 dev br0",
    )  # fmt: skip
    twin = build(node.state())
    try:
        for command in ("ip -4 route show table all", "ip -4 rule", "ip -4 -o address", "ip -o link | cut -d@ -f1"):
            there = twin.run(partial(output, command))
            assert sorted(line.split("\\")[0] for line in there.splitlines()) == sorted(
                line.split("\\")[0] for line in node.text(command).splitlines()
            )
    finally:
        twin.close()


def test_a_rule_that_cannot_be_loaded_voids_the_twin(node: Node) -> None:
    state = node.state()
    rules = state.node.nftables
    broken = NftObject(6, rules[-1].family, rules[-1].body.replace(b"POSTROUTING\0", b"NOSUCHCHAI\0\0"))
    bad = State(replace(state.node, nftables=(*rules[:-1], broken)), state.pods)
    with pytest.raises(CannotRead, match="not all rules could be copied"):
        build(bad)


def test_a_stale_translation_sticks_in_the_twin_too(node: Node) -> None:
    if not shutil.which("conntrack"):
        pytest.skip("conntrack is not installed")
    node.sh(
        "conntrack -I -p udp -s 10.244.0.10 -d 8.8.8.8 --sport 33333 --dport 53 -r 10.244.0.99 -q 192.0.2.10 "
        "--reply-port-src 53 --reply-port-dst 33333 -t 300 -u SEEN_REPLY --dst-nat 10.244.0.99"
    )
    twin = build(node.state())
    try:
        assert twin.tracked >= 1
        listed = twin.run(partial(output, "conntrack -L -p udp 2>/dev/null"))
    finally:
        twin.close()
    assert "sport=33333" in listed
    assert "src=10.244.0.99" in listed


@pytest.mark.thorough
def test_a_recording_of_the_state_gives_the_same_twin(node: Node) -> None:
    node.sh("iptables-nft -I FORWARD -p udp --dport 53 -j DROP")
    state = node.state()
    again = replayed(as_recorded(state))
    assert again.node == state.node
    assert again.pods == state.pods
    twin = build(again)
    try:
        assert twin.ask(FLOWS["outside"]).answer is Answer.TIMEOUT
        assert twin.ask(FLOWS["service"]).answer is Answer.OK
    finally:
        twin.close()


@pytest.mark.parametrize("damage", ["cut", "type", "gone", "junk"])
def test_a_damaged_recording_is_one_sentence(damage: str, node: Node) -> None:
    stored = as_recorded(node.state())
    first = stored["namespaces"][0]
    if damage == "cut":
        first["links"] = first["links"][:-9]
    elif damage == "type":
        first["listeners"] = [{"protocol": "tcp", "address": "nowhere", "port": 1}]
    elif damage == "gone":
        del first["nftables"]
    else:
        first["routes"] = "!!!"
    with pytest.raises(BadInput, match="network state is damaged"):
        replayed(stored)


def test_the_client_is_asked_from_its_own_address(node: Node) -> None:
    twin = build(node.state())
    try:
        way = walk(twin, FLOWS["outside"])
    finally:
        twin.close()
    assert way.steps[0].packet.source == "10.244.0.10"
    assert way.flow.source == CLIENT
