"""Tracked connections deleted from a real table: those that are meant, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from netdoctor.errors import CannotRead
from netdoctor.twin.wire import conntrack
from netdoctor.twin.wire.conntrack import Ends, delete
from netdoctor.twin.wire.nfnetlink import nfgenmsg
from tests.changes.on_node import tracked
from tests.twin.network import ADDRESS, CLIENT, FLOWS, SERVER, Node, real, small_node

pytestmark = real


@pytest.fixture(scope="module")
def machine() -> Iterator[Node]:
    with small_node() as node:
        node.sh("iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED")  # which has them tracked
        yield node


@pytest.fixture
def node(machine: Node) -> Node:
    """A node that tracks a connection between pods, and one that leads out."""
    in_node(machine, lambda: delete(lambda _: True))
    for name in ("pod", "outside"):
        machine.ask(FLOWS[name], 0.1)
    return machine


def in_node(node: Node, act: Callable[[], int]) -> int:
    return node.namespaces["node"].run(act)


def leads_out(connection: Ends) -> bool:
    return connection.destination not in ADDRESS.values()


def test_those_that_are_meant_and_no_others(node: Node) -> None:
    before = tracked(node)
    out = {each for each in before if leads_out(each)}
    assert out
    between_pods = Ends(ADDRESS[CLIENT], ADDRESS[SERVER], ADDRESS[SERVER], ADDRESS[CLIENT])
    assert in_node(node, lambda: delete(leads_out)) >= len(out)
    assert tracked(node) & before == before - out
    assert between_pods in tracked(node)
    assert in_node(node, lambda: delete(leads_out)) == 0


def test_one_that_ends_meanwhile_is_no_failure(node: Node) -> None:
    def ends_now(_: Ends) -> bool:
        delete(lambda _: True)
        return True

    assert in_node(node, lambda: delete(ends_now)) == 0


def test_what_the_kernel_refuses_is_said(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "_name", lambda _: nfgenmsg(99) + b"\x08\x00\x01\x80\0\0\0\0")
    with pytest.raises(CannotRead, match="a connection cannot be deleted: "):
        in_node(node, lambda: delete(lambda _: True))
