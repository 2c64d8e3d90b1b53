"""What rules of table nat leave unmasqueraded of the packets of pods."""

from __future__ import annotations

import pytest

from netdoctor.facts.node.iptables import Ruleset
from netdoctor.facts.node.masquerade_exceptions import MasqueradeExceptions

PODS, UPLINK = ("10.244.0.0/16",), "eth0"
RETURNS = "-A POSTROUTING -s 10.244.0.0/16 -j RETURN"
CORPORATE = "-A POSTROUTING -s 10.244.0.0/16 -d 10.0.0.0/8 -j RETURN"
BUT_CORPORATE = "-A POSTROUTING -s 10.244.0.0/16 ! -d 10.0.0.0/8 -j MASQUERADE"
IPSEC = "-A POSTROUTING -m policy --dir out --pol ipsec -j ACCEPT"


def left(*rules: str) -> MasqueradeExceptions:
    chains = {rule.split()[1] for rule in rules} | {"POSTROUTING"}
    text = "\n".join(["*nat", *(f":{chain} - [0:0]" for chain in chains), *rules, "COMMIT"])
    return MasqueradeExceptions.of(Ruleset.parse(text), PODS, UPLINK)


@pytest.mark.parametrize("rule", [
    "-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE",
    "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
    "-A POSTROUTING -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN",
    "-A POSTROUTING ! -s 10.0.0.0/8 -j RETURN",
    "-A POSTROUTING -o wg0 -j RETURN",
    "-A POSTROUTING ! -o eth+ -j RETURN",
    "-A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE",
    "-A POSTROUTING -m mark --mark 0x40000/0xff0000 -j MASQUERADE",
    "-A OUTPUT -d 192.0.2.0/24 -j RETURN",
    "-A SITE -j RETURN",
    "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
])  # fmt: skip
def test_nothing(rule: str) -> None:
    jumps = ("-A POSTROUTING -j KUBE-POSTROUTING", "-A POSTROUTING -j SITE")
    assert left(*jumps, rule) == MasqueradeExceptions((), (), 0, ())


def test_every_packet_of_pods() -> None:
    worded = '-A POSTROUTING -s 10.244.0.0/16 -m comment --comment "pods -d 10.0.0.0/8 go \\"out\\"" -j ACCEPT'
    assert left(RETURNS, worded, "-A POSTROUTING -j RETURN").of_all == (RETURNS, worded, "-A POSTROUTING -j RETURN")
    assert left("-A POSTROUTING -o eth+ -j RETURN").of_all


def test_a_range() -> None:
    assert left(CORPORATE, BUT_CORPORATE).ranges == (("10.0.0.0/8", CORPORATE), ("10.0.0.0/8", BUT_CORPORATE))


def test_a_range_in_a_chain_that_one_leads_to() -> None:
    inner = "-A SITE -d 172.16.0.0/12 -j RETURN"
    assert left("-A POSTROUTING -s 10.0.0.0/8 -j SITE", inner, "-A SITE -j SITE").ranges == (("172.16.0.0/12", inner),)
    assert left("-A POSTROUTING -s 192.0.2.0/24 -j OTHER", inner).ranges == ()


@pytest.mark.parametrize("rule", [
    IPSEC,
    "-A POSTROUTING -m set --match-set offices dst -j RETURN",
    "-A POSTROUTING -s 10.244.0.0/16 -p tcp -j ACCEPT",
    "-A POSTROUTING -s 10.244.0.0/16 ! -d 8.8.8.8/32 -j RETURN",
    "-A POSTROUTING -s 10.244.0.0/16 -m comment --comment \"cut off -j RETURN",
])  # fmt: skip
def test_some_packets_and_not_known_which(rule: str) -> None:
    assert left(rule).unclear == (rule,)


def test_what_comes_before_kube_proxys_masquerade_takes_packets_past_that_too() -> None:
    jump = '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'
    marked = "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"
    assert left(RETURNS, jump, marked).mark == 0x4000
    assert left(jump, RETURNS, marked).mark == 0
    assert left(CORPORATE, jump, marked).mark == 0
    assert left(RETURNS).mark == 0
