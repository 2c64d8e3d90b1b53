"""An address of the pods' bridge, and the route that comes with one, in a namespace that is a small node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from netdoctor.changes import in_short, touched
from netdoctor.changes.address import AddAddress
from netdoctor.changes.connected_route import AddConnectedRoute
from netdoctor.errors import BadInput, CannotRead, Drifted
from netdoctor.model import Access
from netdoctor.rehearsal.rehearsal import HostOfCopy
from netdoctor.repair.records import NoRecord, fields_of, rebuild
from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from tests.changes.on_node import on
from tests.twin.network import FLOWS, Node, real, small_node
from tests.twin.test_interventions_by_hand import proposals

STATE = "ip -o -4 address; ip -4 route show table all; ip neigh show nud permanent"
NO_ADDRESS, NO_ROUTE = "ip address del 10.244.0.1/24 dev br0", "ip route del 10.244.0.0/24 dev br0"
ADDRESS, ROUTE = AddAddress("br0", 3, "10.244.0.1/24"), AddConnectedRoute("br0", 3, "10.244.0.1/24")
Change = AddAddress | AddConnectedRoute
BOTH: dict[str, tuple[str, Change]] = {"address": (NO_ADDRESS, ADDRESS), "route": (NO_ROUTE, ROUTE)}


@pytest.fixture
def node() -> Iterator[Node]:
    with small_node() as made:
        yield made


def broken(node: Node, what: str) -> tuple[Any, str]:
    """The change for a node that lacks it, and what the node is like."""
    line, change = BOTH[what]
    node.sh(line)
    index = next(link.index for link in node.state().node.interfaces() if link.name == "br0")
    return type(change)("br0", index, change.address), node.text(STATE)


@pytest.mark.thorough
@real
@pytest.mark.parametrize("what", list(BOTH))
def test_it_is_added_as_it_was_and_removed(what: str, node: Node) -> None:
    routes = node.text("ip -4 route")
    change, before = broken(node, what)
    on(node, change.check)
    assert node.ask(FLOWS["outside"], 0.2).answer is not Answer.OK
    on(node, change.apply)
    assert node.text("ip -4 route") == routes
    assert "10.244.0.1/24" in node.text("ip address")
    assert node.ask(FLOWS["outside"], 2.5).answer is Answer.OK  # a pod asks for its gateway once a second
    on(node, change.apply)
    assert on(node, change.undo) is None
    assert on(node, change.undo) is None
    assert node.text(STATE) == before


@real
@pytest.mark.parametrize("what", list(BOTH))
def test_what_is_there_by_now_is_drift(what: str, node: Node) -> None:
    change, _ = broken(node, what)
    node.sh("ip address add 10.244.0.1/16 dev br0" if what == "address" else "ip route add 10.244.0.0/24 dev eth0")
    with pytest.raises(Drifted, match="by now"):
        on(node, change.check)
    if what == "address":
        assert on(node, change.undo) is None
        assert "10.244.0.1/16" in node.text("ip address")
    else:
        with pytest.raises(Drifted, match="another route leads to"):
            on(node, change.undo)
        assert "10.244.0.0/24 dev eth0" in node.text("ip route")


@real
@pytest.mark.parametrize("what", list(BOTH))
def test_another_interface_gets_nothing(what: str, node: Node) -> None:
    change, before = broken(node, what)
    other = replace(change, index=change.index + 100)
    with pytest.raises(Drifted, match="interface br0 is gone or another one"):
        on(node, other.check)
    with pytest.raises(CannotRead, match="interface br0: "):
        on(node, other.apply)
    on(node, other.undo)
    assert node.text(STATE) == before


@pytest.mark.thorough
@real
@pytest.mark.parametrize("what", list(BOTH))
def test_a_rehearsal_adds_it_in_the_copy_alone(what: str, node: Node) -> None:
    change, before = broken(node, what)
    twin = build(node.state())
    try:
        assert twin.ask(FLOWS["outside"]).answer is not Answer.OK
        twin.run(lambda: change.rehearse(HostOfCopy()))
        assert twin.ask(FLOWS["outside"]).answer is Answer.OK
    finally:
        twin.close()
    assert node.text(STATE) == before


@real
@pytest.mark.parametrize(
    ("what", "file"), [("address", "give-bridge-its-address"), ("route", "restore-connected-routes")]
)
def test_an_experiment_may_be_made_so(what: str, file: str, node: Node) -> None:
    change, _ = broken(node, what)
    (found,) = proposals(file, node.state())
    assert found.changes == (change,)


@real
def test_a_route_of_another_interface_than_the_pods_bridge_is_left(node: Node) -> None:
    node.sh("ip route del 192.0.2.0/24 dev eth0")
    (found,) = proposals("restore-connected-routes", node.state())
    assert "192.0.2.0/24 dev eth0" in found.says
    assert found.changes == ()


def test_their_words() -> None:
    assert ADDRESS.describe() == "10.244.0.1/24 becomes an address of br0, now"
    assert ADDRESS.diff() == "+sudo ip address add 10.244.0.1/24 broadcast + dev br0"
    assert ROUTE.describe() == "10.244.0.0/24 is reached by br0 again, now"
    assert ROUTE.diff() == "+sudo ip route add 10.244.0.0/24 dev br0 proto kernel scope link src 10.244.0.1"
    assert [in_short(change)[0][:2] for change in (ADDRESS, ROUTE)] == ["+ ", "+ "]
    assert [change.opens() for change in (ADDRESS, ROUTE)] == [(Access.POD_TO_OTHER_PORT,)] * 2
    assert [len(touched(change)) for change in (ADDRESS, ROUTE)] == [1, 1]


@pytest.mark.parametrize("change", [ADDRESS, ROUTE], ids=["address", "route"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a b"}, {"index": 0}, {"address": "10.244.0.1"}, {"address": "fd00::1/64"}, {"address": "10.0.0.1/31"},
        {"address": "127.0.0.1/8"}, {"address": "1.0.0.1/4"}, {"address": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_journal_cannot_have_anything_else_added(change: Change, wrong: dict[str, Any]) -> None:
    assert rebuild(change.kind, fields_of(change)) == change
    with pytest.raises(BadInput):
        replace(change, **wrong)
    with pytest.raises(NoRecord):
        rebuild(change.kind, {**fields_of(change), **wrong})
