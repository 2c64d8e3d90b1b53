"""An interface of a pod made a port of the bridge, on the interfaces of a namespace that is a small node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netdoctor.changes import in_short, touched
from netdoctor.changes.bridge_port import JoinBridge
from netdoctor.errors import BadInput, CannotRead, Drifted
from netdoctor.model import Access
from netdoctor.repair.records import NoRecord, fields_of, rebuild
from netdoctor.system.traffic import Answer
from tests.changes.on_node import insist_it_cures_a_copy, on
from tests.twin.network import FLOWS, Node, real, small_node
from tests.twin.test_interventions_by_hand import proposals

GIVEN = JoinBridge("veth1", 7, "br0", 3, True)
LINKS = "ip -o link show; bridge -d link show; ip -o -4 address; ip route"


@pytest.fixture
def node() -> Any:
    with small_node() as made:
        yield made


def planned(node: Node) -> JoinBridge:
    """What the experiments propose for the port that is off the bridge."""
    (found,) = proposals("join-bridge", node.state())
    (change,) = found.changes
    assert isinstance(change, JoinBridge)
    return change


@real
@pytest.mark.parametrize("hairpin", ["on", "off"])
def test_it_is_put_back_with_the_hairpin_of_the_others_and_taken_off_again(hairpin: str, node: Node) -> None:
    node.sh(f"bridge link set dev veth0 hairpin {hairpin}", f"bridge link set dev veth1 hairpin {hairpin}")
    whole = node.text(LINKS)
    node.sh("ip link set veth1 nomaster")
    broken, change = node.text(LINKS), planned(node)
    assert change.hairpin is (hairpin == "on")
    on(node, change.check)
    assert node.ask(FLOWS["pod"], 0.2).answer is not Answer.OK
    on(node, change.apply)
    on(node, change.apply)  # made twice it is the same
    assert node.ask(FLOWS["pod"], 3.0).answer is Answer.OK
    assert node.text(LINKS) == whole
    assert on(node, change.undo) is None
    assert on(node, change.undo) is None
    assert node.text(LINKS) == broken


@real
def test_what_has_changed_since_is_drift(node: Node) -> None:
    node.sh("ip link set veth1 nomaster", "ip link add br9 type bridge")
    change = planned(node)
    node.sh("ip link set veth1 master br9")
    with pytest.raises(Drifted, match="interface veth1 is a port by now"):
        on(node, change.check)
    with pytest.raises(Drifted, match="a port of another bridge since"):
        on(node, change.undo)
    with pytest.raises(Drifted, match="bridge br0 is gone or another one"):
        on(node, replace(change, bridge_index=change.bridge_index + 100).check)
    with pytest.raises(CannotRead, match="interface veth1: port of br0"):
        on(node, replace(change, bridge_index=change.index + 100).apply)
    node.sh("ip link del veth1")
    with pytest.raises(Drifted, match="interface veth1 is gone or another one"):
        on(node, change.check)
    assert on(node, change.undo) == "interface veth1 is gone or another one since"


@real
def test_a_rehearsal_makes_it_in_the_copy_alone(node: Node) -> None:
    node.sh("ip link set veth1 nomaster")
    change, before = planned(node), node.text(LINKS)
    insist_it_cures_a_copy(node, change, FLOWS["pod"])
    assert node.text(LINKS) == before


def test_its_words() -> None:
    assert GIVEN.describe() == "interface veth1 becomes a port of br0, now"
    assert GIVEN.diff().splitlines() == [
        "+sudo ip link set dev veth1 master br0",
        "+sudo bridge link set dev veth1 hairpin on",
    ]
    assert in_short(GIVEN) == ["+ interface veth1 becomes a port of br0, now, with hairpin on"]
    plain = replace(GIVEN, hairpin=False)
    assert plain.diff() == "+sudo ip link set dev veth1 master br0"
    assert in_short(plain) == ["+ interface veth1 becomes a port of br0, now"]
    assert touched(GIVEN) == (("interface{s}", "veth1"),)
    assert GIVEN.opens() == (Access.POD_TO_OTHER_PORT,)


@pytest.mark.parametrize(
    "wrong", [{"name": "a b"}, {"bridge": "x" * 16}, {"index": 0}, {"bridge_index": 0}, {"hairpin": "yes"}], ids=str
)
def test_a_journal_cannot_have_anything_else_made_a_port(wrong: dict[str, Any]) -> None:
    assert rebuild("bridge-port", fields_of(GIVEN)) == GIVEN
    with pytest.raises(NoRecord):
        rebuild("bridge-port", {**fields_of(GIVEN), **wrong})


def test_its_names_are_checked() -> None:
    with pytest.raises(BadInput, match="not an interface that netdoctor makes a port"):
        replace(GIVEN, name="a b")
