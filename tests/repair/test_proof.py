"""What is looked at again after a repair, and how thoroughly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from netdoctor import Area, Finding, probe
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.errors import CannotRead
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.repair.proof import complete, guards_of, is_judged_by_cures
from tests.repair.folder_node import (
    Node,
    add_names,
    add_nothing_useful,
    door_open,
    forwarding_off,
    names_unresolved,
    node,
    switch_on,
)

__all__ = ["node"]


@probe(area=Area.NODE, healthy="nothing was found by a search")
def found_by_search(experiments: Experiments | CannotRead) -> Iterator[Finding]:
    yield from ()


def catalogue() -> Catalogue:
    probes = (forwarding_off, names_unresolved, door_open, found_by_search)
    return Catalogue.of({each.name: each for each in probes}, {})


def test_a_proof_searches_for_no_cures(node: Node) -> None:
    node.repair(switch_on, add_names)
    assert node.cures == [True, False, False], "the look that is planned from, and one for each step"


def test_what_is_left_is_planned_from_a_look_that_searched(node: Node) -> None:
    (node.folder / "a.conf").write_text("forward = 1\n")
    node.repair(add_nothing_useful)
    assert True in node.cures[1:], "the repair did not help: what else would, is searched for"


def test_a_probe_that_goes_by_experiments_is_proved_by_a_search() -> None:
    real = Catalogue.load()
    judged = {name for name in real.probes if is_judged_by_cures(real, name)}
    assert {"found-by-experiment", "packets-taken-by-program"} <= judged
    assert "ip-forward-disabled" not in judged
    assert is_judged_by_cures(catalogue(), "found-by-search")


def test_what_passed_without_a_search_has_to_pass_only_where_one_was_made(node: Node) -> None:
    (node.folder / "a.conf").write_text("forward = 1\n")
    searched = node.look(catalogue())
    assert guards_of(catalogue(), searched) == ["forwarding-off", "door-open", "found-by-search"]
    assert guards_of(catalogue(), replace(searched, cures=False)) == ["forwarding-off", "door-open"]


@pytest.mark.parametrize(("searched", "is_fine", "looks"), [(False, False, 1), (False, True, 0), (True, False, 0)])
def test_only_what_is_wrong_and_was_not_searched_is_looked_at_again(
    node: Node, searched: bool, is_fine: bool, looks: int
) -> None:
    (node.folder / "a.conf").write_text("forward = 1\n")
    if is_fine:
        (node.folder / "sub/deep").mkdir(parents=True)
        (node.folder / "sub/deep/b.conf").write_text("names = 1\n")
    seen = node.look(node.catalogue(), searched)
    complete(seen, lambda cures: node.look(node.catalogue(), cures))
    assert node.cures[1:] == [True] * looks
