"""The masquerade of a pod network by a table of netdoctor's own, on a small node: made, rehearsed, and taken back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from netdoctor.changes import _iptables_nat
from netdoctor.changes.masquerade_network import TABLE, MasqueradeNetwork
from netdoctor.errors import Drifted, NotRehearsable
from netdoctor.model import Access
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer
from tests.changes.on_node import on, tracked
from tests.twin.network import ADDRESS, CLIENT, CLUSTER_IP, FLOWS, RESOLVER, SERVER, Node, real, small_node

pytestmark = real
PODS, OTHER_NODES = "10.244.0.0/24", "10.244.0.0/16"
BARE = "iptables-nft -t nat -D POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/24 -j MASQUERADE"
PAST = "iptables-nft -t nat -I POSTROUTING -s 10.244.0.0/24 -j RETURN"


@pytest.fixture
def node() -> Iterator[Node]:
    """A node that masquerades nothing."""
    with small_node() as node:
        node.sh(BARE)
        yield node


def planned(*kept: str, at_boot: bool = True) -> MasqueradeNetwork:
    return MasqueradeNetwork.planned([PODS], kept or (OTHER_NODES,), "br0", at_boot=at_boot)


def rules(node: Node) -> str:
    return node.text("nft -s list ruleset | sed -E 's/counter packets [0-9]+ bytes [0-9]+//'")


def test_it_is_made_and_taken_back_to_the_byte(node: Node) -> None:
    before = rules(node)
    change = planned()
    on(node, change.check)
    assert node.ask(FLOWS["outside"], 0.1).answer is Answer.TIMEOUT
    on(node, change.apply)
    assert node.ask(FLOWS["outside"]).answer is Answer.OK
    made = rules(node)
    on(node, change.apply)
    assert rules(node) == made
    with pytest.raises(Drifted, match="there is a table ip netdoctor_masquerade now"):
        on(node, change.check)
    on(node, change.undo)
    assert rules(node) == before
    on(node, change.undo)
    assert rules(node) == before
    assert node.ask(FLOWS["outside"], 0.1).answer is Answer.TIMEOUT


def test_a_rule_that_sends_pods_past_their_masquerade_does_not_hold_for_it(node: Node) -> None:
    node.sh(PAST)
    on(node, planned().apply)
    assert node.ask(FLOWS["outside"]).answer is Answer.OK


@pytest.mark.parametrize("needed", [None, False, True])
def test_what_kube_proxy_marks_is_masqueraded_too(
    needed: bool | None, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.sh(
        "iptables-nft -t nat -F POSTROUTING",
        f"iptables-nft -t nat -I PREROUTING -s {ADDRESS[SERVER]} -d {CLUSTER_IP} -j MARK --or-mark 0x4000",
    )
    assert node.ask(FLOWS["itself"], 0.1).answer is Answer.TIMEOUT
    before, change = rules(node), replace(planned(), mark=0x4000)
    if needed is None:
        on(node, change.apply)
    else:
        monkeypatch.setattr(_iptables_nat, "needed", lambda: needed)
        on(node, change.rehearse)
    assert node.ask(FLOWS["itself"]).answer is Answer.OK
    assert node.ask(FLOWS["outside"]).answer is Answer.OK
    if not needed:
        on(node, change.undo)
        assert rules(node) == before


@pytest.mark.parametrize("flow", ["pod", "service", "itself", "node"])
def test_within_the_cluster_all_is_as_before(flow: str, node: Node) -> None:
    on(node, planned().apply)
    assert node.ask(FLOWS[flow]).answer is Answer.OK
    found = tracked(node)
    own = {each for each in found if each.source == ADDRESS[CLIENT] and each.destination in ADDRESS.values()}
    assert all(each.reply_destination == each.source for each in own)
    assert CLUSTER_IP not in {each.reply_destination for each in found}


def test_a_range_that_is_kept_is_reached_with_the_pods_own_address(node: Node) -> None:
    on(node, planned("8.8.8.0/24").apply)
    assert node.ask(FLOWS["outside"], 0.1).answer is Answer.TIMEOUT


@pytest.mark.skipif(shutil.which("conntrack") is None, reason="conntrack is not installed")
def test_connections_that_go_out_bare_are_forgotten_and_no_others(node: Node) -> None:
    node.sh("iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED", "conntrack -F")
    assert node.ask(FLOWS["outside"], 0.1).answer is Answer.TIMEOUT
    assert node.ask(FLOWS["pod"]).answer is Answer.OK
    on(node, planned().apply)
    ends = {(each.source, each.destination) for each in tracked(node)}
    assert (ADDRESS[CLIENT], RESOLVER) not in ends
    assert (ADDRESS[CLIENT], FLOWS["pod"].destination) in ends


@pytest.mark.parametrize("needed", [False, True])
def test_a_rehearsal_cures_the_same(needed: bool, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_iptables_nat, "needed", lambda: needed)
    node.sh(PAST)
    on(node, planned().rehearse)
    assert (TABLE in rules(node)) is not needed
    assert node.ask(FLOWS["outside"]).answer is Answer.OK
    assert node.ask(FLOWS["pod"]).answer is Answer.OK


@pytest.mark.parametrize("needed", [False, True])
def test_a_rehearsal_keeps_the_same(needed: bool, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_iptables_nat, "needed", lambda: needed)
    on(node, planned("8.8.8.0/24").rehearse)
    assert node.ask(FLOWS["outside"], 0.1).answer is Answer.TIMEOUT


@pytest.mark.parametrize("edit", [
    f"nft add rule ip {TABLE} postrouting ip saddr 192.0.2.0/24 accept",
    f"nft insert rule ip {TABLE} postrouting ip daddr 8.8.8.8 accept",
    f"nft flush chain ip {TABLE} postrouting",
])  # fmt: skip
def test_what_somebody_else_has_changed_since_stays(edit: str, node: Node) -> None:
    on(node, planned().apply)
    node.sh(edit)
    changed = rules(node)
    with pytest.raises(Drifted, match="somebody has changed table ip netdoctor_masquerade"):
        on(node, planned().undo)
    assert rules(node) == changed


def test_many_ranges_are_listed_in_several_lines_and_known_again(node: Node) -> None:
    before = rules(node)
    change = planned(*(f"10.{third}.0.0/24" for third in range(40)), "192.0.2.1/32")
    on(node, change.apply)
    on(node, change.undo)
    assert rules(node) == before


def test_ranges_within_others_are_named_once() -> None:
    change = planned("10.244.0.0/16", "10.244.3.0/24", "10.96.0.0/12")
    assert change.kept == ("10.96.0.0/12", "10.244.0.0/16", "224.0.0.0/4")
    assert "10.244.3.0" not in change.table


def test_what_opens_beside_the_outside_is_said() -> None:
    assert planned().opens() == ()
    assert replace(planned(), mark=0x4000).opens() == (Access.POD_TO_SERVICE,)


def test_it_says_how_long_it_lasts() -> None:
    assert "until the next boot" not in planned().describe() + planned().diff()
    alone = planned(at_boot=False)
    assert "until the next boot" in alone.describe()
    assert "no systemd" in alone.diff()


@pytest.mark.parametrize("change", [
    replace(planned(), bridge='br0" masquerade; add rule x'),
    replace(planned(), networks=("10.244.0.0/24 } accept",)),
    replace(planned(), kept=("10.244.0.0/16 }\n",)),
    replace(planned(), kept=()),
    replace(planned(), mark=1 << 32),
    replace(planned(), networks=("10.244.0.9/24",)),
])  # fmt: skip
def test_a_journal_cannot_make_it_say_something_else(change: MasqueradeNetwork) -> None:
    assert not change.is_of_netdoctor()
    with pytest.raises(NotRehearsable):
        change.rehearse(Host())
    assert planned().is_of_netdoctor()
