"""Rules that accept packets of pods, in chains of iptables, legacy iptables and nftables of a small node."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.changes._accept_script import script
from netdoctor.changes._accepted import Accepted
from netdoctor.changes.accept_rules import DOCKER_USER, IPTABLES, LEGACY, NFT, AcceptRules
from netdoctor.changes.cni_forward import RestoreCniForward
from netdoctor.errors import CannotRead, Drifted, NotRehearsable
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer
from tests.changes.on_node import on
from tests.twin.network import FLOWS, Node, real, small_node

pytestmark = real
PODS, BRIDGE = "10.244.0.0/24", "br0"
FORWARD = (
    Accepted(source=PODS, interface_in=BRIDGE),
    Accepted(destination=PODS, interface_out=BRIDGE, answers=True),
)
REJECT = "-j REJECT --reject-with icmp-host-prohibited"
BLOCK = "-d 8.8.4.4/32 -j DROP"  # somebody's own, which has to hold before and after
TABLE = (
    "table inet own { chain forward { type filter hook forward priority 0; policy accept; ip daddr 8.8.4.4 drop; }; }"
)
STATES = {
    "policy": (
        [f"iptables-nft -A FORWARD {BLOCK}", "iptables-nft -P FORWARD DROP"],
        AcceptRules(IPTABLES, "ip", "filter", "FORWARD", "", FORWARD),
    ),
    "final rule": (
        [f"iptables-nft -A FORWARD {BLOCK}", f"iptables-nft -A FORWARD {REJECT}", "iptables-nft -A FORWARD -j ACCEPT"],
        AcceptRules(IPTABLES, "ip", "filter", "FORWARD", f"-A FORWARD {REJECT}", FORWARD),
    ),
    "docker's chain": (
        ["iptables-nft -N DOCKER-USER", "iptables-nft -A FORWARD -j DOCKER-USER",
         f"iptables-nft -A DOCKER-USER {BLOCK}", "iptables-nft -A DOCKER-USER -j RETURN",
         "iptables-nft -P FORWARD DROP"],
        AcceptRules(IPTABLES, "ip", "filter", DOCKER_USER, "-A DOCKER-USER -j RETURN", FORWARD),
    ),
    "docker's chain, empty": (
        ["iptables-nft -N DOCKER-USER", "iptables-nft -A FORWARD -j DOCKER-USER", "iptables-nft -P FORWARD DROP"],
        AcceptRules(IPTABLES, "ip", "filter", DOCKER_USER, "-A DOCKER-USER -j RETURN", FORWARD),
    ),
    "legacy policy": (
        [f"iptables-legacy -A FORWARD {BLOCK}", "iptables-legacy -P FORWARD DROP"],
        AcceptRules(LEGACY, "ip", "filter", "FORWARD", "", FORWARD),
    ),
    "legacy final rule": (
        [f"iptables-legacy -A FORWARD {BLOCK}", "iptables-legacy -A FORWARD -j DROP"],
        AcceptRules(LEGACY, "ip", "filter", "FORWARD", "-A FORWARD -j DROP", FORWARD),
    ),
    "nft policy": (
        [f"nft '{TABLE.replace('policy accept', 'policy drop')}'"],
        AcceptRules(NFT, "inet", "own", "forward", "", FORWARD),
    ),
    "nft final rule": (
        [f"nft '{TABLE}'", "nft add rule inet own forward counter reject with icmpx admin-prohibited"],
        AcceptRules(NFT, "inet", "own", "forward", "counter reject with icmpx admin-prohibited", FORWARD),
    ),
}  # fmt: skip
needs_legacy = pytest.mark.skipif(not shutil.which("iptables-legacy"), reason="iptables-legacy is not installed")
EVERY = [pytest.param(name, marks=needs_legacy if name.startswith("legacy") else ()) for name in STATES]


@pytest.fixture
def node() -> Iterator[Node]:
    with small_node() as node:
        yield node


def rules(node: Node) -> str:
    text = node.text("nft -s list ruleset; iptables-nft-save; iptables-legacy-save")
    return re.sub(r"\[\d+:\d+\]|counter packets \d+ bytes \d+|^#.*\n", "", text, flags=re.MULTILINE)


def broken(node: Node, name: str) -> AcceptRules:
    """The node in this state, and the change for it."""
    lines, change = STATES[name]
    node.sh(*lines)
    assert not node.ask(FLOWS["outside"], 0.1).answered
    return change


@pytest.mark.parametrize("name", EVERY)
def test_they_are_made_and_taken_back_to_the_byte(name: str, node: Node) -> None:
    change = broken(node, name)
    before = rules(node)
    on(node, change.check)
    on(node, change.apply)
    assert node.ask(FLOWS["outside"]).answer is Answer.OK
    assert node.ask(FLOWS["service"]).answer is Answer.OK
    with pytest.raises(Drifted, match="has some of these rules by now"):
        on(node, change.check)
    on(node, change.undo)
    assert rules(node) == before
    on(node, change.undo)
    assert rules(node) == before


@pytest.mark.parametrize("name", EVERY)
def test_they_stand_where_they_are_said_to_and_in_order(name: str, node: Node) -> None:
    change = broken(node, name)
    on(node, change.apply)
    there: list[str] = []
    on(node, lambda host: there.extend(change._now(host)))
    first = there.index(change.texts()[0])
    assert there[first : first + 2] == change.texts()
    assert there[first + 2 :][:1] == ([change.before] if change.before in there else [])
    blocked = [text for text in there if "8.8.4.4" in text]
    assert all(there.index(text) < first for text in blocked)


@pytest.mark.parametrize("name", EVERY)
def test_a_rehearsal_writes_them_too(name: str, node: Node) -> None:
    change = broken(node, name)
    on(node, change.rehearse)
    assert node.ask(FLOWS["outside"]).answer is Answer.OK


@pytest.mark.parametrize("name", EVERY)
def test_the_boot_makes_the_same_and_none_twice(name: str, node: Node, tmp_path: Path) -> None:
    change = broken(node, name)
    on(node, change.apply)
    made = rules(node)
    on(node, change.undo)
    (tmp_path / "accept.sh").write_text(script([change]))
    node.sh(f"sh {tmp_path}/accept.sh")
    assert rules(node) == made
    node.sh(f"sh {tmp_path}/accept.sh")
    assert rules(node) == made
    on(node, change.undo)
    assert node.ask(FLOWS["outside"], 0.1).answer is not Answer.OK


@pytest.mark.parametrize("name", ["final rule", "nft final rule"])
def test_a_boot_without_the_final_rule_needs_none(name: str, node: Node, tmp_path: Path) -> None:
    _, change = STATES[name]
    node.sh(f"nft '{TABLE}'")
    before = rules(node)
    (tmp_path / "accept.sh").write_text(script([change]))
    node.sh(f"sh {tmp_path}/accept.sh")
    assert rules(node) == before


@pytest.mark.parametrize("name", ["final rule", "nft final rule"])
def test_a_plan_from_before_somebody_removed_the_rule_is_not_made(name: str, node: Node) -> None:
    change = broken(node, name)
    node.sh(f"iptables-nft -D FORWARD {REJECT}" if name == "final rule" else "nft flush chain inet own forward")
    with pytest.raises(Drifted, match="is no longer in"):
        on(node, change.check)


def test_rules_that_somebody_has_flushed_are_not_deleted_again(node: Node) -> None:
    change = broken(node, "policy")
    on(node, change.apply)
    node.sh("iptables-nft -F FORWARD")
    flushed = rules(node)
    on(node, change.undo)
    assert rules(node) == flushed


def test_rules_that_somebody_has_written_as_well_stay(node: Node) -> None:
    change = broken(node, "policy")
    on(node, change.apply)
    node.sh(f"iptables-nft {change.texts()[0]}")
    with pytest.raises(Drifted, match="written the same rules"):
        on(node, change.undo)


def test_a_chain_that_is_gone_is_told(node: Node) -> None:
    with pytest.raises(CannotRead):
        on(node, STATES["nft policy"][1].check)


POLICY = STATES["policy"][1]


@pytest.mark.parametrize("change", [
    replace(POLICY, table="nat\n-A"),
    replace(POLICY, chain="FORWARD 1"),
    replace(POLICY, program="sh"),
    replace(POLICY, family="netdev"),
    replace(POLICY, before="-A FORWARD\n-j DROP"),
    replace(POLICY, rules=(Accepted(),)),
    replace(POLICY, rules=(Accepted(source=PODS),)),
    replace(POLICY, rules=(Accepted(interface_in=BRIDGE),)),
    replace(POLICY, rules=(Accepted(source="10.244.0.0/24 -j DROP", interface_in=BRIDGE),)),
    replace(POLICY, rules=(Accepted(source=PODS, interface_in='br0" drop'),)),
    replace(POLICY, rules=(Accepted(source=PODS, interface_in=BRIDGE, protocol="all", port=1),)),
    replace(POLICY, rules=(Accepted(source=PODS, interface_in=BRIDGE, protocol="tcp"),)),
    replace(POLICY, rules=(Accepted(source=PODS, interface_in=BRIDGE, protocol="tcp", port=1, from_port=2),)),
    replace(POLICY, rules=(Accepted(source=PODS, interface_in=BRIDGE, protocol="tcp", from_port=1 << 16),)),
])  # fmt: skip
def test_a_journal_cannot_make_it_say_something_else(change: AcceptRules) -> None:
    assert not change.is_of_netdoctor()
    with pytest.raises(NotRehearsable):
        change.rehearse(Host())
    assert POLICY.is_of_netdoctor()


def test_a_rule_of_somebody_else_is_never_run_by_the_script(node: Node, tmp_path: Path) -> None:
    node.sh("iptables-nft -A FORWARD -m comment --comment '; touch HERE; $(touch HERE) `touch HERE` \"' -j DROP")
    (before,) = node.text("iptables-nft -S FORWARD").splitlines()[1:]
    assert "touch HERE" in before
    change = replace(POLICY, before=before)
    (tmp_path / "accept.sh").write_text(script([change]))
    node.sh(f"cd {tmp_path}", "sh accept.sh")
    assert [path.name for path in tmp_path.iterdir()] == ["accept.sh"]
    there = node.text("iptables-nft -S FORWARD").splitlines()[1:]
    assert there == [*change.texts(), before]


def test_it_says_how_long_it_lasts() -> None:
    assert "until the next boot" in POLICY.describe()
    assert "until the next boot" not in replace(POLICY, at_boot=True).describe()


def test_the_cnis_jump_is_written_first_and_taken_back_to_the_byte(node: Node) -> None:
    node.sh(
        "iptables-nft -N CNI-FORWARD", "iptables-nft -A CNI-FORWARD -s 10.244.0.10 -j ACCEPT",
        f"iptables-nft -A FORWARD {BLOCK}",
    )  # fmt: skip
    before, change = rules(node), RestoreCniForward()
    on(node, change.check)
    for make in (change.apply, change.rehearse):  # the second time nothing is missing
        on(node, make)
        first = node.text("iptables-nft -S FORWARD").splitlines()[1:]
        assert first[0] == '-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD'
        assert len(first) == 2
    with pytest.raises(Drifted, match="by now"):
        on(node, change.check)
    on(node, change.undo)
    assert rules(node) == before
    on(node, change.undo)
    assert rules(node) == before
    node.sh(*["iptables-nft -I FORWARD -m comment --comment 'CNI firewall plugin rules' -j CNI-FORWARD"] * 2)
    with pytest.raises(Drifted, match="once more"):
        on(node, change.undo)
