"""One setting of an interface, on the interfaces of a namespace that is a small node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netdoctor.changes import in_short, is_of_netdoctor, touched
from netdoctor.changes.link import PORT, SetLink
from netdoctor.errors import BadInput, CannotRead, Drifted
from netdoctor.facts.node.links import Interface, Links
from netdoctor.model import Access
from netdoctor.remedies.host.set_pod_links_up import set_pod_links_up
from netdoctor.repair.records import NoRecord, fields_of, rebuild
from netdoctor.system.traffic import Answer
from tests.builders import cni
from tests.changes.on_node import insist_it_cures_a_copy, on
from tests.twin.network import FLOWS, Node, real, small_node

GIVEN = SetLink("veth1", 7, "isolated", 1, 0)
LINKS = "ip -o link show; bridge -d link show; ip -o -4 address; ip route"
# how a port is made odd, what it is then, and what pods miss while it is so
ODD = {
    "up": ("ip link set veth1 down", 0, "pod"),
    "isolated": ("bridge link set dev veth0 isolated on; bridge link set dev veth1 isolated on", 1, "pod"),
    "state": ("bridge link set dev veth1 state 0", 0, "pod"),
    "hairpin": ("bridge link set dev veth1 hairpin off", 0, ""),
    "learning": ("bridge link set dev veth1 learning off", 0, ""),
    "flood": ("bridge link set dev veth1 flood off", 0, ""),
    "guard": ("bridge link set dev veth1 guard on", 1, ""),
    "root_block": ("bridge link set dev veth1 root_block on", 1, ""),
}


@pytest.fixture
def node() -> Any:
    with small_node() as made:
        yield made


def change_of(node: Node, what: str, was: int, name: str = "veth1") -> SetLink:
    index = next(link.index for link in node.state().node.interfaces() if link.name == name)
    return SetLink.usual(name, index, what, was)


@pytest.mark.thorough
@real
@pytest.mark.parametrize("what", list(ODD))
def test_it_is_set_and_set_back(what: str, node: Node) -> None:
    break_it, was, flow = ODD[what]
    node.sh("bridge link set dev veth1 hairpin on", break_it)
    change = change_of(node, what, was)
    broken = node.text(LINKS)
    on(node, change.check)
    if flow:
        assert node.ask(FLOWS[flow], 0.2).answer is not Answer.OK
    on(node, change.apply)
    assert node.text(LINKS) != broken
    if flow:
        assert node.ask(FLOWS[flow], 2.0).answer is Answer.OK
    on(node, change.apply)  # made twice it is the same
    assert on(node, change.undo) is None
    assert on(node, change.undo) is None
    assert node.text(LINKS) == broken


def routes(node: Node) -> str:
    """The node's routes; whether an interface has a carrier the kernel notices a moment later."""
    return node.text("ip route").replace(" linkdown", "")


@real
def test_a_bridge_that_goes_up_has_its_route_again_and_loses_it_with_the_undo(node: Node) -> None:
    node.sh("ip link set br0 down")
    broken = routes(node)
    change = change_of(node, "up", 0, "br0")
    on(node, change.apply)
    assert "10.244.0.0/24 dev br0" in routes(node)
    on(node, change.undo)
    assert routes(node) == broken


@real
def test_what_has_changed_since_is_drift(node: Node) -> None:
    node.sh("bridge link set dev veth1 isolated on")
    change = change_of(node, "isolated", 1)
    node.sh("bridge link set dev veth1 isolated off")
    with pytest.raises(Drifted, match="interface veth1 is isolated off, and it was isolated on"):
        on(node, change.check)
    node.sh("ip link set veth1 nomaster")
    with pytest.raises(Drifted, match="interface veth1 is at no bridge"):
        on(node, change.check)
    with pytest.raises(Drifted, match="somebody has changed that since"):
        on(node, change.undo)
    with pytest.raises(CannotRead, match="interface veth1: isolated off: "):
        on(node, change.apply)


@real
@pytest.mark.parametrize("line", ["ip link del veth1", "ip link set veth1 name other", "ip link set veth1 down"])
def test_another_interface_is_not_changed(line: str, node: Node) -> None:
    node.sh("ip link set veth1 down")
    change = change_of(node, "up", 0)
    if line == "ip link set veth1 down":
        change = replace(change, index=change.index + 100)  # of an earlier one with that name
    else:
        node.sh(line)
    with pytest.raises(Drifted, match="interface veth1 is gone or another one"):
        on(node, change.check)
    assert on(node, change.undo) == "interface veth1 is gone or another one since"


@real
@pytest.mark.parametrize("what", ["up", "isolated"])
def test_a_rehearsal_sets_it_in_the_copy_alone(what: str, node: Node) -> None:
    break_it, was, flow = ODD[what]
    node.sh(break_it)
    change, before = change_of(node, what, was), node.text(LINKS)
    insist_it_cures_a_copy(node, change, FLOWS[flow])
    assert node.text(LINKS) == before


def test_its_words() -> None:
    assert GIVEN.describe() == "interface veth1: isolated off, now"
    assert GIVEN.diff().splitlines() == [
        "-interface veth1: isolated on",
        "+interface veth1: isolated off",
        " sudo bridge link set dev veth1 isolated off",
    ]
    assert in_short(GIVEN) == ["- interface veth1: isolated on", "+ interface veth1: isolated off, now"]
    assert GIVEN.opens() == (Access.POD_TO_OTHER_PORT,)
    assert touched(GIVEN) == (("interface{s}", "veth1"),)
    up = SetLink.usual("br0", 3, "up", 0)
    assert up.diff().splitlines() == ["-interface br0: down", "+interface br0: up", " sudo ip link set dev br0 up"]
    assert SetLink.usual("v", 3, "state", 0).describe() == "interface v: state forwarding, now"


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "mtu"}, {"what": "master"}, {"name": "a b"}, {"name": "x" * 16}, {"index": 0}, {"value": 1},
        {"was": 5}, {"what": "state"},
    ],
    ids=str,
)  # fmt: skip
def test_a_journal_cannot_have_anything_else_set(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        replace(GIVEN, **wrong)
    with pytest.raises(NoRecord):
        rebuild("link", {**fields_of(GIVEN), **wrong})


@pytest.mark.parametrize("what", ["up", *PORT])
def test_it_is_what_a_journal_says_and_goes_one_way_only(what: str) -> None:
    usual = 1 if what == "up" else PORT[what][1]
    was = 0 if usual else 1
    change = SetLink("veth1", 7, what, was, usual)
    assert rebuild("link", fields_of(change)) == change
    assert not is_of_netdoctor(SetLink("veth1", 7, what, usual, was))


def test_the_remedy_sets_up_the_bridge_and_its_ports_and_nothing_else() -> None:
    def link(name: str, index: int, *, up: bool, master: str = "") -> Interface:
        return Interface(name, index, "veth", up, up, master, 1500)

    there = (
        link("veth9", 9, up=False, master="bridge"),
        link("veth8", 8, up=True, master="bridge"),
        link("bridge", 3, up=False),
        link("eth1", 4, up=False),
        link("x", 5, up=False, master="br1"),
    )
    links = Links(there, ())
    found = list(set_pod_links_up((), links, cni()))
    assert found == [SetLink("bridge", 3, "up", 0, 1), SetLink("veth9", 9, "up", 0, 1)]
    assert list(set_pod_links_up((), Links((), ()), cni())) == []
