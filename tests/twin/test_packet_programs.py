"""Filters and IPsec policies of a real namespace, as they are read: each once, with a command that removes it."""

from __future__ import annotations

import pytest

from netdoctor.twin.build import build
from netdoctor.twin.state import CopiedProgram
from tests.twin.network import Node, real, small_node

pytestmark = pytest.mark.thorough

FILTER = "pref 7 bpf direct-action bytecode '1,6 0 0 2'"
POLICY = "src 10.0.0.0/8 dst 198.51.100.7/32 action block"


def read(node: Node, *commands: str) -> tuple[CopiedProgram, ...]:
    """What a copy gets after these commands; the copy can be made."""
    node.sh(*commands)
    state = node.state()
    build(state).close()
    return state.node.copied_programs


def removed_by_hand(node: Node, program: CopiedProgram) -> None:
    form, values = program.by_hand
    node.sh(form.format(*values).removeprefix("sudo "))


@real
@pytest.mark.parametrize("queue", ["ingress", "clsact"])
def test_a_filter_of_one_hook_is_read_once(queue: str) -> None:
    with small_node() as node:
        (found,) = read(node, f"tc qdisc add dev eth0 {queue}", f"tc filter add dev eth0 ingress {FILTER}")
        assert found.says == "eth0 (tc ingress)"
        removed_by_hand(node, found)
        assert node.state().node.copied_programs == ()


@real
@pytest.mark.parametrize("more", ["", "mark 5 mask 0xff", "mark 5 mask 0xff if_id 7", "if_id 7", "ptype sub"])
def test_a_policy_is_removed_by_its_command(more: str) -> None:
    with small_node() as node:
        (found,) = read(node, f"ip xfrm policy add dir out {POLICY} {more}")
        removed_by_hand(node, found)
        assert node.state().node.copied_programs == ()
