"""Which rules refuse whatever was not accepted before, and which somebody wrote against something."""

from __future__ import annotations

import pytest

from netdoctor.system.final_rules import refuses_the_rest

OF_PODS = ("cni0", "veth12ab", "veth34cd")


@pytest.mark.parametrize("rule", [
    "-A FORWARD -j REJECT --reject-with icmp-host-prohibited",
    "-A FORWARD -j DROP",
    '-A FORWARD -m comment --comment "final -s 10.0.0.0/8 rule" -j DROP',
    "-A FORWARD -m conntrack --ctstate NEW -j DROP",
    "-A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP",
    "-A FORWARD -m state --state INVALID,NEW -j DROP",
    "-A FORWARD -i eth0 -j REJECT --reject-with icmp-port-unreachable",
    "-A INPUT ! -i lo -j DROP",
    "-A FORWARD ! -i cni0 -j DROP",
    "drop",
    "counter drop",
    "counter packets 0 bytes 0 drop",
    "reject with icmpx admin-prohibited",
    "reject with icmpx type admin-prohibited",
    'log prefix "dropped: " level info counter drop comment "the rest"',
    'iifname "eth0" drop',
    'iifname != "lo" ct state new reject',
    "ct state { established, new } drop",
])  # fmt: skip
def test_refuses_the_rest(rule: str) -> None:
    assert refuses_the_rest(rule, OF_PODS)


@pytest.mark.parametrize("rule", [
    "-A FORWARD -s 10.244.0.0/16 -j REJECT --reject-with icmp-port-unreachable",
    "-A FORWARD -d 10.244.0.9/32 -j DROP",
    "-A INPUT -p tcp -m tcp --dport 10250 -j REJECT",
    "-A FORWARD -m set --match-set bad src -j DROP",
    "-A FORWARD -m mark --mark 0x1 -j DROP",
    "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
    "-A FORWARD -m conntrack ! --ctstate NEW -j DROP",
    "-A FORWARD -i cni0 -j DROP",
    "-A FORWARD -o veth+ -j DROP",
    "-A FORWARD -i + -j DROP",
    "-A FORWARD -m physdev --physdev-in veth12ab -j DROP",
    "-A FORWARD -m limit --limit 3/min -j DROP",
    "-A FORWARD -j ACCEPT",
    "-A FORWARD -j NFQUEUE --queue-num 0",
    "-A FORWARD",
    '-A FORWARD -m comment --comment "cut -j DROP',
    "ip saddr 10.244.0.0/16 drop",
    "tcp dport 5432 drop",
    "ct state invalid drop",
    "ct state established,related drop",
    'iifname "cni0" drop',
    "meta mark 0x1 drop",
    "ip saddr @bad counter drop",
    "ether saddr 02:00:00:00:00:01 drop",
    "accept",
    "",
])  # fmt: skip
def test_is_somebodys_wish(rule: str) -> None:
    assert not refuses_the_rest(rule, OF_PODS)
