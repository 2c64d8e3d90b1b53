"""A node with two uplinks that begins to forward becomes a router between them: that is told, and refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import Exposed
from netdoctor.facts import Facts
from netdoctor.model import Access
from netdoctor.output.rehearsal_text import lines
from netdoctor.rehearsal.rehearsal import Rehearsal, insist, rehearse
from netdoctor.rehearsal.transit import transit_ways
from netdoctor.remedies.host.enable_ip_forward import enable_ip_forward
from netdoctor.system.host import Host
from netdoctor.twin.namespace import Namespace
from tests.twin.network import UPLINK_IS_BRIDGE, Node, real, small_node
from tests.twin.test_lockout import facts_of

pytestmark = [pytest.mark.thorough, real]
SECOND = "198.51.100.10"


@contextmanager
def two_uplinks(*commands: str, second: str = f"{SECOND}/24", forward: str = "0") -> Iterator[Node]:
    """A node that does not forward, with a second uplink."""
    with small_node() as node:
        node.namespaces["second"] = Namespace.new()
        end = f"/proc/{os.getpid()}/fd/{node.namespaces['second'].descriptor}"
        node.sh(f"ip link add eth1 type veth peer name u1 netns {end}", f"ip address add {second} dev eth1",
                "ip link set eth1 up", f"sysctl -qw net.ipv4.ip_forward={forward}", *commands)  # fmt: skip
        node.sh("ip link set u1 up", where="second")
        yield node


def forwarded(facts: Facts, node: Node) -> Rehearsal:
    """The remedy's own change, rehearsed with what the remedy opens."""
    change = node.namespaces["node"].run(lambda: SetSysctl.planned(Host(), "net.ipv4.ip_forward", "1"))
    return rehearse(facts, [change], enable_ip_forward.opens)


@pytest.mark.parametrize(
    ("commands", "second"),
    [((), f"{SECOND}/24"), ((), f"{SECOND}/31"), (UPLINK_IS_BRIDGE, f"{SECOND}/24")],
    ids=["two", "a small network", "a bridge"],
)
def test_forwarding_between_uplinks_is_exposure(commands: tuple[str, ...], second: str) -> None:
    with two_uplinks(*commands, second=second) as node:
        rehearsal = forwarded(facts_of(node), node)
    first, other = ("br-up" if commands else "eth0"), "198.51.100."
    found = {str(way) for way in rehearsal.needless if way.kind is Access.TRANSIT}
    assert any(word.startswith("192.0.2.254 behind " + first) and other in word for word in found), found
    assert any("behind eth1 -> 192.0.2.254:22/tcp" in word for word in found), found
    assert rehearsal.closed == ()
    with pytest.raises(Exposed, match=r"it would open transit between uplinks: .*; use --allow-exposure to apply it"):
        insist(rehearsal, allow_exposure=False)
    insist(rehearsal, allow_exposure=True)
    text = "\n".join(lines(rehearsal, ""))
    assert "    transit between uplinks: 192.0.2.254 behind " in text
    assert "transit between uplinks: 4" in "".join(rehearsal.sampled)


def test_what_is_forbidden_for_ssh_alone_is_seen_to_open() -> None:
    with two_uplinks("iptables-nft -A FORWARD -p tcp --dport 22 -j DROP") as node:
        rehearsal = forwarded(facts_of(node), node)
    assert {way.flow.port for way in rehearsal.needless if way.kind is Access.TRANSIT} == {443}


def test_where_rules_forbid_it_nothing_opens() -> None:
    drop = ("iptables-nft -P FORWARD DROP", "iptables-nft -A FORWARD -s 10.244.0.0/24 -j ACCEPT",
            "iptables-nft -A FORWARD -d 10.244.0.0/24 -j ACCEPT")  # fmt: skip
    with two_uplinks(*drop) as node:
        rehearsal = forwarded(facts_of(node), node)
    assert (rehearsal.needless, rehearsal.refusal) == ((), "")


def test_one_way_is_enough() -> None:
    """Only what comes in by the second uplink is forwarded."""
    drop = ("iptables-nft -A FORWARD -i eth0 -o eth1 -m conntrack --ctstate NEW -j DROP",)
    with two_uplinks(*drop) as node:
        rehearsal = forwarded(facts_of(node), node)
    assert {way.flow.destination for way in rehearsal.needless} == {"192.0.2.254"}


def test_transit_that_was_there_may_not_be_cut() -> None:
    with two_uplinks(forward="1") as node:
        off = node.namespaces["node"].run(lambda: SetSysctl.planned(Host(), "net.ipv4.ip_forward", "0"))
        rehearsal = rehearse(facts_of(node), [off], ())
    assert Access.TRANSIT in {way.kind for way in rehearsal.closed}


@pytest.mark.parametrize("forbidden", [False, True])
def test_a_network_of_virtual_machines_is_opened_to_none(forbidden: bool) -> None:
    """One uplink, and a bridge with a machine that nobody outside reaches while nothing is forwarded."""
    with small_node() as node:
        node.sh(
            "ip link add virbr1 type bridge", "ip address add 192.168.100.1/24 dev virbr1", "ip link set virbr1 up",
            "ip link add vnet0 type veth peer name vm0", "ip link set vnet0 master virbr1 up", "ip link set vm0 up",
            "sysctl -qw net.ipv4.ip_forward=0",
            *(["iptables-nft -A FORWARD -o virbr1 -j DROP"] if forbidden else []),
        )  # fmt: skip
        rehearsal = forwarded(facts_of(node), node)
    opened = {way.flow.destination for way in rehearsal.needless if way.kind is Access.TRANSIT}
    assert opened == (set() if forbidden else {"192.168.100.254"})


def test_a_node_with_one_uplink_carries_nothing() -> None:
    with small_node() as node:
        node.sh("sysctl -qw net.ipv4.ip_forward=0", "ip address add 169.254.20.10/32 dev lo")
        assert transit_ways(node.state()) == []
        rehearsal = forwarded(facts_of(node), node)
    assert (rehearsal.needless, rehearsal.closed, rehearsal.refusal) == ((), (), "")


def test_ipv6_as_well() -> None:
    six = ("ip -6 address add 2001:db8:1::10/64 dev eth0 nodad", "ip -6 address add 2001:db8:2::10/64 dev eth1 nodad",
           "sysctl -qw net.ipv6.conf.all.forwarding=0")  # fmt: skip
    with two_uplinks(*six) as node:
        on = node.namespaces["node"].run(lambda: SetSysctl.planned(Host(), "net.ipv6.conf.all.forwarding", "1"))
        rehearsal = rehearse(facts_of(node), [on], ())
    found = {way.flow.destination[:10] for way in rehearsal.needless if way.kind is Access.TRANSIT}
    assert found == {"2001:db8:1", "2001:db8:2"}
