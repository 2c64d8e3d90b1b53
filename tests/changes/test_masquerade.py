"""The masquerade of pods on real rules: planned, checked, made, rehearsed, and taken back to the byte."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.changes.masquerade import PodRules, RestoreMasquerade
from netdoctor.errors import Drifted
from netdoctor.facts.node import cni
from netdoctor.facts.node.iptables import Ruleset
from netdoctor.system.traffic import Answer
from tests.changes.on_node import on, tracked
from tests.changes.test_rules import CONTAINER, POD, WRITTEN
from tests.twin.network import ADDRESS, CLIENT, FLOWS, NODE_ADDRESS, RESOLVER, SERVER, Node, real, small_node

pytestmark = real
CHAIN = PodRules(*POD, None, False).chain
JUMP = PodRules(*POD, None, False).jump.removeprefix("-A ")
ELSE = "iptables-nft -t nat -A POSTROUTING -s 192.0.2.0/24 -j RETURN"  # somebody else's rule, which stays where it is


@pytest.fixture(scope="module")
def machine() -> Iterator[Node]:
    with small_node() as node:
        yield node


@pytest.fixture
def node(machine: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node whose table nat is empty, and whose CNI knows the pod."""
    machine.sh("iptables-nft -t nat -F", "iptables-nft -t nat -X", ELSE)
    cache = {
        "containerId": CONTAINER, "networkName": "bridge", "ifName": "eth0",
        "result": {"ips": [{"address": "10.244.0.6/16"}]},
        "cniArgs": [["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", "client"]],
    }  # fmt: skip
    (tmp_path / "bridge").write_text(json.dumps(cache))
    monkeypatch.setattr(cni, "CACHE_FOLDER", tmp_path)
    return machine


def nat(node: Node) -> str:
    """Table nat without counters."""
    return re.sub(r"\[\d+:\d+\]|^#.*\n", "", node.text("iptables-nft-save -t nat"), flags=re.MULTILINE)


def planned(node: Node) -> RestoreMasquerade:
    return RestoreMasquerade.planned([POD], Ruleset.parse(node.text("iptables-nft-save -t nat")))


LOST = {
    "all of it": (),
    "the chain's rules": (f"iptables-nft -t nat -N {CHAIN}", f"iptables-nft -t nat -A {JUMP}"),
    "the jump": (f"iptables-nft -t nat -N {CHAIN}", f"iptables-nft -t nat -A {CHAIN} -d 10.244.0.0/16 -j ACCEPT"),
}


@pytest.mark.parametrize("lost", list(LOST))
def test_it_is_made_and_taken_back_to_the_byte(lost: str, node: Node) -> None:
    node.sh(*LOST[lost], "true")
    before = nat(node)
    change = planned(node)
    on(node, change.check)
    on(node, change.apply)
    written = Ruleset.parse(node.text("iptables-nft-save -t nat"))
    assert written.rules("nat", CHAIN) == Ruleset.parse(WRITTEN).rules("nat", CHAIN)
    assert PodRules(*POD, None, False).now(written) == (PodRules(*POD, None, False).rules, True)
    assert planned(node).pods == ()
    on(node, change.apply)  # once more makes nothing twice
    assert Ruleset.parse(node.text("iptables-nft-save -t nat")) == written
    on(node, change.undo)
    assert nat(node) == before
    on(node, change.undo)
    assert nat(node) == before


def test_a_rehearsal_writes_the_same(node: Node) -> None:
    change = planned(node)
    on(node, change.rehearse)
    rehearsed = nat(node)
    on(node, change.undo)
    on(node, change.apply)
    assert nat(node) == rehearsed


def test_a_plan_from_before_somebody_else_wrote_is_not_made(node: Node) -> None:
    change = planned(node)
    node.sh(f"iptables-nft -t nat -N {CHAIN}")
    with pytest.raises(Drifted, match="rules of pod default/client have changed since"):
        on(node, change.check)


def test_a_pod_that_has_gone_gets_no_rules(node: Node, tmp_path: Path) -> None:
    change = planned(node)
    (tmp_path / "bridge").unlink()
    with pytest.raises(Drifted, match="pod default/client is gone"):
        on(node, change.check)


def test_what_somebody_else_has_changed_since_stays(node: Node) -> None:
    change = planned(node)
    on(node, change.apply)
    node.sh(f"iptables-nft -t nat -I {CHAIN} -d 198.51.100.0/24 -j ACCEPT")
    changed = nat(node)
    with pytest.raises(Drifted, match="somebody has changed"):
        on(node, change.undo)
    assert nat(node) == changed


def test_rules_that_went_with_their_pod_are_no_reason_to_write(node: Node) -> None:
    change = planned(node)
    on(node, change.apply)
    node.sh(f"iptables-nft -t nat -D {JUMP}", f"iptables-nft -t nat -F {CHAIN}", f"iptables-nft -t nat -X {CHAIN}")
    gone = nat(node)
    on(node, change.undo)
    assert nat(node) == gone


@pytest.mark.skipif(shutil.which("conntrack") is None, reason="conntrack is not installed")
def test_connections_without_masquerade_are_forgotten_and_no_others(node: Node) -> None:
    # the kernel's own reports of multicast groups come when they like
    node.sh("nft 'add table ip quiet; add chain ip quiet out { type filter hook output priority raw; }; "
            "add rule ip quiet out ip protocol igmp notrack'")  # fmt: skip
    node.sh("iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED", "conntrack -F")  # which has them tracked
    pods = [("default/client", "bridge", CONTAINER, ADDRESS[CLIENT], "10.244.0.0/16")]
    change = RestoreMasquerade.planned(pods, Ruleset.parse(node.text("iptables-nft-save -t nat")))
    assert node.ask(FLOWS["outside"], 0.1).answer is Answer.TIMEOUT
    for name in ("host", "pod"):
        assert node.ask(FLOWS[name]).answer is Answer.OK
    on(node, change.apply)
    left = tracked(node)
    assert {(one.source, one.destination) for one in left} == {
        (NODE_ADDRESS, RESOLVER), (ADDRESS[CLIENT], ADDRESS[SERVER]),
    }  # fmt: skip
    assert node.ask(FLOWS["outside"]).answer is Answer.OK
    masqueraded = tracked(node)
    on(node, change.apply)
    assert tracked(node) == masqueraded
    on(node, change.undo)


def test_it_says_each_rule(node: Node) -> None:
    change = planned(node)
    assert change.describe() == "masquerade 1 pods again, as the CNI did: default/client; nothing restarts"
    rules = (*change.pods[0].rules, change.pods[0].jump)
    assert change.diff().splitlines()[:3] == [f"+{rule}" for rule in rules]
    forgets = replace(change, forgets=True).diff().splitlines()[3:]
    assert forgets == ["+conntrack -D   for these pods' connections to the outside that were not masqueraded"]
    goes_on = replace(change, forgets=False).diff().splitlines()[3:]
    assert goes_on == [" connections without masquerade go on until they time out: the kernel does not list them"]
