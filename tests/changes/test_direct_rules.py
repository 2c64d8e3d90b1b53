"""Direct rules, removed and put back by a real firewalld, which flushes everybody's iptables on some of these ways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netdoctor.changes import _foreign_rules
from netdoctor.changes.direct_rules import RULE_SIGNATURE, SETTINGS_SIGNATURE, RemoveDirectRules
from netdoctor.errors import Drifted, NotRehearsable
from netdoctor.model import NotApplicable
from netdoctor.rehearsal.rehearsal import HostOfCopy
from netdoctor.system.firewalld_bus import CONFIG
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer
from netdoctor.twin.namespace import Namespace
from tests.changes.node_with_firewalld import FirewalldNode
from tests.twin.network import FLOWS, RULES, real

pytestmark = real
FILE = "/etc/firewalld/direct.xml"
Plain = tuple[str, str, str, int, list[str]]


def rule(protocol: str, target: str = "ACCEPT", ipv: str = "ipv4") -> Plain:
    return ipv, "filter", "OUTPUT", 0, ["-p", protocol, "--dport", "53", "-j", target]


UDP, TCP, TCP6 = rule("udp"), rule("tcp"), rule("tcp", ipv="ipv6")
THEIRS = rule("sctp")  # of somebody who comes later


def at_boot(node: FirewalldNode, rules: list[Plain], chains: object = (), passthroughs: object = ()) -> None:
    settings = ([*chains], rules, [*passthroughs])  # type: ignore[misc]
    node.call("config.direct", "update", SETTINGS_SIGNATURE, settings, path=CONFIG)


@pytest.fixture
def node(with_firewalld: FirewalldNode) -> FirewalldNode:
    """A node with direct rules of both families now and one at boot, and rules of kube-proxy's beside them."""
    for one in (UDP, TCP6):
        with_firewalld.call("direct", "addRule", RULE_SIGNATURE, *one)
    at_boot(with_firewalld, [UDP, TCP])
    kube_proxy_writes(with_firewalld)
    return with_firewalld


def kube_proxy_writes(node: FirewalldNode) -> None:
    """firewalld 2 has flushed iptables before the first direct rule."""
    nat = RULES.partition("*filter")[0]  # which is all that is flushed by this
    node.on(lambda host: host.run(["iptables-nft-restore"], stdin=nat))
    node.on(lambda host: host.run(["iptables-nft", "-A", "FORWARD", "-s", "192.0.2.9", "-j", "DROP"]))


def planned(node: FirewalldNode) -> RemoveDirectRules:
    return node.run(RemoveDirectRules.planned)


def iptables(node: FirewalldNode) -> list[str]:
    """The rules of both families, in whatever order."""
    text = node.text("iptables-nft-save; ip6tables-nft-save")
    return sorted(line for line in text.splitlines() if line.startswith("-A"))


def direct(node: FirewalldNode) -> tuple[list[Plain], list[Plain]]:
    """Rules that are in force, and those of the next boot."""
    permanent = node.call("config.direct", "getSettings", path=CONFIG)
    return sorted(node.call("direct", "getAllRules")), sorted(permanent[1])


def seen(node: FirewalldNode) -> tuple[Any, ...]:
    def files() -> list[tuple[str, bytes, int]]:
        found = sorted(Path("/etc/firewalld").glob("direct.xml*"))
        return [(path.name, path.read_bytes(), path.stat().st_mode) for path in found]

    return direct(node), node.run(files), iptables(node)


def kept(node: FirewalldNode) -> bool:
    return node.run(lambda: Path(_foreign_rules.KEPT).exists())


DIRECT_RULE = re.compile(r"-A OUTPUT .*--dport 53 -j ACCEPT")


def test_they_go_and_come_back_and_nobody_elses_rules_are_lost(node: FirewalldNode) -> None:
    before = seen(node)
    change = planned(node)
    assert change.describe() == "firewalld: remove 3 direct rules, now and at boot (no reload)"
    assert change.diff().splitlines() == [
        "-firewall-cmd --direct --add-rule ipv4 filter OUTPUT 0 -p udp --dport 53 -j ACCEPT",
        "-firewall-cmd --direct --add-rule ipv6 filter OUTPUT 0 -p tcp --dport 53 -j ACCEPT",
        "-firewall-cmd --permanent --direct --add-rule ipv4 filter OUTPUT 0 -p udp --dport 53 -j ACCEPT",
        "-firewall-cmd --permanent --direct --add-rule ipv4 filter OUTPUT 0 -p tcp --dport 53 -j ACCEPT",
    ]
    node.on(change.check)
    others = [line for line in before[-1] if not DIRECT_RULE.match(line)]
    assert len(others) == len(before[-1]) - 2
    for _ in range(2):
        node.on(change.apply)
        assert direct(node) == ([], [])
        assert iptables(node) == others, "and iptables is not flushed"
    for _ in range(2):
        node.on(change.undo)
        assert seen(node) == before
        assert not kept(node)
    assert node.node.ask(FLOWS["service"]).answer is Answer.OK, "kube-proxy's rules still translate"


@pytest.mark.parametrize("done", ["at boot", "and one of two now"])
def test_a_half_done_one_is_taken_back(done: str, node: FirewalldNode) -> None:
    before = seen(node)
    change = planned(node)
    at_boot(node, [])
    if done != "at boot":
        node.call("direct", "removeRule", RULE_SIGNATURE, *UDP)
    node.on(change.undo)
    assert seen(node) == before


def test_a_rule_of_others_that_is_in_force_since_stays(node: FirewalldNode) -> None:
    change = planned(node)
    node.on(change.apply)
    node.call("direct", "addRule", RULE_SIGNATURE, *THEIRS)
    kube_proxy_writes(node)
    others = iptables(node)
    node.on(change.undo)
    assert direct(node) == (sorted([UDP, TCP6, THEIRS]), sorted([UDP, TCP]))
    assert {*others} <= {*iptables(node)}


OTHERS: dict[str, Callable[[FirewalldNode], object]] = {
    "an edit that firewalld has not read": lambda node: node.text(f"sed -i 's:</direct>:{BY_HAND}</direct>:' {FILE}"),
    "a rule": lambda node: at_boot(node, [THEIRS]),
    "a chain": lambda node: at_boot(node, [], chains=[("ipv4", "filter", "mine")]),
    "a passthrough": lambda node: at_boot(node, [], passthroughs=[("ipv4", ["-A", "INPUT", "-j", "DROP"])]),
}
BY_HAND = '<passthrough ipv="ipv4">-A INPUT -j DROP<\\/passthrough>'


def test_what_others_have_made_for_the_next_boot_since_stays(node: FirewalldNode) -> None:
    change = planned(node)
    node.on(change.apply)
    for name, make in OTHERS.items():
        make(node)
        before = seen(node)
        with pytest.raises(Drifted, match="added direct rules to firewalld's permanent configuration since"):
            node.on(change.undo)
        assert seen(node) == before, name


NOT_TO_JUDGE: dict[str, tuple[Callable[[FirewalldNode], object], str]] = {
    "a rule that drops": (
        lambda node: node.call("direct", "addRule", RULE_SIGNATURE, *rule("udp", "DROP")), "does more than accept",
    ),
    "at boot": (lambda node: at_boot(node, [rule("udp", "DROP")]), "does more than accept"),
    "a chain": (lambda node: node.call("direct", "addChain", "sss", "ipv4", "filter", "mine"), "chains or pass"),
    "a passthrough": (
        lambda node: node.call("direct", "addPassthrough", "sas", "ipv4", ["-A", "INPUT", "-j", "ACCEPT"]),
        "chains or passthroughs",
    ),
    "a chain at boot": (OTHERS["a chain"], "chains or passthroughs"),
    "a passthrough at boot": (OTHERS["a passthrough"], "chains or passthroughs"),
    "an edit that firewalld has not read": (OTHERS["an edit that firewalld has not read"], "has not read"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(NOT_TO_JUDGE))
def test_what_is_its_owners_to_judge_is_neither_planned_nor_removed(name: str, node: FirewalldNode) -> None:
    change = planned(node)
    make, says = NOT_TO_JUDGE[name]
    make(node)
    with pytest.raises(NotApplicable, match=says):
        planned(node)
    with pytest.raises(Drifted, match=says):
        node.on(change.check)


def test_a_plan_from_before_somebody_else_acted_is_not_made(node: FirewalldNode) -> None:
    change = planned(node)
    node.call("direct", "removeRule", RULE_SIGNATURE, *UDP)
    with pytest.raises(Drifted, match="direct rules have changed since"):
        node.on(change.check)
    at_boot(node, [TCP])
    with pytest.raises(Drifted, match="direct rules have changed since"):
        node.on(change.check)


def test_a_rehearsal_deletes_them_from_the_copy_alone(node: FirewalldNode) -> None:
    before = seen(node)
    change = planned(node)
    copy = Namespace.new()
    try:
        for family in ("iptables-nft", "ip6tables-nft"):
            saved = node.text(f"{family}-save")
            copy.run(lambda f=family, text=saved: Host(loads=True).run([f"{f}-restore"], stdin=text))  # type: ignore[misc]
        copy.run(lambda: change.rehearse(HostOfCopy()))
        left = copy.run(lambda: Host(loads=True).run(["sh", "-c", "iptables-nft-save; ip6tables-nft-save"]))
        assert sorted(line for line in left.splitlines() if line.startswith("-A")) == [
            line for line in before[-1] if not DIRECT_RULE.match(line)
        ]
        with pytest.raises(NotRehearsable, match="is not in chain OUTPUT"):
            copy.run(lambda: change.rehearse(HostOfCopy()))
    finally:
        copy.close()
    assert seen(node) == before


@pytest.mark.parametrize("back", [False, True], ids=["before", "after"])
def test_rules_of_others_come_back_after_an_undo_that_was_killed(back: bool, node: FirewalldNode) -> None:
    """Before or after the direct rules were back: iptables is flushed, and what the undo had kept is there."""
    before = seen(node)
    change = planned(node)
    node.on(change.apply)
    texts = {family: node.text(f"{family}-save") for family in _foreign_rules.FAMILIES}
    node.run(lambda: Path(_foreign_rules.KEPT).write_text(json.dumps(texts)))
    node.text("iptables-nft -F; iptables-nft -t nat -F; iptables-nft -t nat -X")
    for one in (UDP, TCP6) if back else ():
        node.call("direct", "addRule", RULE_SIGNATURE, *one)
    node.on(change.undo)
    assert seen(node) == before
    assert not kept(node)


def test_without_a_rule_at_boot_the_file_is_left_alone(with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    node.call("direct", "addRule", RULE_SIGNATURE, *UDP)
    kube_proxy_writes(node)
    change = planned(node)
    assert change == replace(change, in_force=((*UDP[:4], tuple(UDP[4])),), at_boot=(), file=None)
    node.on(change.apply)
    at_boot(node, [THEIRS])
    node.on(change.undo)
    assert direct(node) == ([UDP], [THEIRS])
