"""Two faults at once on a real node: both are named, also where one hides what the other does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.accuracy_record import note_pair
from tests.conftest import Lab
from tests.fault_node import FaultNode
from tests.reports import causes, explained
from tests.rotation import pairs_in_this_run
from tests.test_faults import break_it, check, firewalld_of, heal_outside, load, story

PAIRS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "pairs.yaml").read_text())
NAMES = [" + ".join(each["pair"]) for each in PAIRS]
CHOSEN = pairs_in_this_run(NAMES)


@pytest.fixture(scope="module")
def node(lab: Lab) -> FaultNode:
    return FaultNode(lab)


@pytest.fixture
def broken(request: pytest.FixtureRequest, node: FaultNode) -> Iterator[tuple[Lab, dict[str, Any]]]:
    """A node with both faults, healed outside afterwards."""
    given: dict[str, Any] = request.param
    if " + ".join(given["pair"]) not in CHOSEN:
        pytest.skip("left to another run: a third of the pairs in each")
    faults = [load(name) for name in given["pair"]]
    node.reset(max(firewalld_of(name) for name in given["pair"]))
    try:
        for fault in faults:
            break_it(node.lab, fault)
        yield node.lab, given
    finally:
        for fault in faults:
            heal_outside(node.lab, fault)


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.parametrize("broken", PAIRS, ids=NAMES, indirect=True)
def test_both_are_named(broken: tuple[Lab, dict[str, Any]]) -> None:
    lab, given = broken
    _, report = check(lab)
    named = set(causes(report)) | explained(report)
    missing = [name for name in given["pair"] if not set(load(name)["causes"]) <= named]
    note_pair(given["pair"], missing, report)
    assert missing == given.get("hidden", []), story(report)


def test_each_pair_is_of_faults_that_the_lab_makes() -> None:
    for given in PAIRS:
        first, second = given["pair"]
        assert load(first)["causes"]
        assert load(second)["causes"]
        assert "skip" not in load(first) | load(second)
        assert len({firewalld_of(name) for name in (first, second)} - {""}) <= 1
    assert len({frozenset(given["pair"]) for given in PAIRS}) == len(PAIRS) >= 30
