"""A change called on the node of a test, and in a copy of it; and what the node tracks afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from netdoctor.model import Change
from netdoctor.rehearsal.rehearsal import HostOfCopy
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from netdoctor.twin.twin import Flow
from netdoctor.twin.wire.conntrack import Ends, dump
from tests.twin.network import Node

T = TypeVar("T")


def on(node: Node, act: Callable[[Host], T]) -> T:
    """Call one of a change's functions there, as the executor does."""
    return node.namespaces["node"].run(lambda: act(Host(loads=True)))


def tracked(node: Node) -> set[Ends]:
    """The connections that it tracks."""
    return set(map(Ends.of, node.namespaces["node"].run(dump)))


def insist_it_cures_a_copy(node: Node, change: Change, flow: Flow) -> None:
    """The flow fails in a copy of the node, and passes there once the change is rehearsed."""
    twin = build(node.state())
    try:
        twin.meet(flow)
        assert twin.ask(flow).answer is not Answer.OK
        twin.run(lambda: change.rehearse(HostOfCopy()))
        assert twin.ask(flow).answer is Answer.OK
    finally:
        twin.close()
