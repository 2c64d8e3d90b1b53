"""What is looked at again after a repair, and how thoroughly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from netdoctor import Area, Finding, probe
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.errors import CannotRead
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.repair.proof import complete, guards_of, rests_on_experiments
from tests.repair.folder_node import (
    Folder,
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


@probe(area=Area.NODE, healthy="nothing was found on copies")
def found_on_copies(experiments: Experiments | CannotRead) -> Iterator[Finding]:
    yield from ()


@probe(area=Area.NODE, healthy="nothing was flushed", act=True)
def settings_flushed(folder: Folder) -> Iterator[Finding]:
    yield from ()


def catalogue() -> Catalogue:
    probes = (forwarding_off, names_unresolved, door_open, found_on_copies, settings_flushed)
    return Catalogue.of({each.name: each for each in probes}, {})


def test_a_proof_tries_nothing_on_copies(node: Node) -> None:
    node.repair(switch_on, add_names)
    assert node.experimented == [True, False, False, False], "the first, one for each step, and the last"


def test_what_is_left_is_planned_from_a_look_with_experiments(node: Node) -> None:
    (node.folder / "a.conf").write_text("forward = 1\n")
    node.repair(add_nothing_useful)
    assert True in node.experimented[1:], "the repair did not help: what else would is tried"


def test_a_probe_that_goes_by_experiments_is_proved_by_them() -> None:
    real = Catalogue.load()
    resting = {name for name in real.probes if rests_on_experiments(real, name)}
    assert {"found-by-experiment", "packets-taken-by-program"} <= resting
    assert not {"ip-forward-disabled", "packets-dropped-by-rule"} & resting, "the latter traces on the node itself"
    assert rests_on_experiments(catalogue(), "found-on-copies")


def test_neither_what_passed_without_experiments_nor_an_act_has_to_pass(node: Node) -> None:
    (node.folder / "a.conf").write_text("forward = 1\n")
    experimented = node.look(catalogue())
    assert guards_of(catalogue(), experimented) == ["forwarding-off", "door-open", "found-on-copies"]
    assert guards_of(catalogue(), replace(experimented, experimented=False)) == ["forwarding-off", "door-open"]


@pytest.mark.parametrize(("experimented", "is_fine", "looks"), [(False, False, 1), (False, True, 0), (True, False, 0)])
def test_only_what_is_wrong_and_was_not_tried_is_looked_at_again(
    node: Node, experimented: bool, is_fine: bool, looks: int
) -> None:
    (node.folder / "a.conf").write_text("forward = 1\n")
    if is_fine:
        (node.folder / "sub/deep").mkdir(parents=True)
        (node.folder / "sub/deep/b.conf").write_text("names = 1\n")
    seen = node.look(node.catalogue(), experimented)
    complete(seen, partial(node.look, node.catalogue()))
    assert node.experimented[1:] == [True] * looks
