"""tests/causes.yaml: each known root cause is named in a state that tests make, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdoctor.diagnosis.catalogue import Catalogue
from tests.scripts import script

COVERED = script("causes_covered.py")
ROWS = {row.cause["id"]: row for row in COVERED.rows()}


def test_every_state_stands_for_a_known_cause() -> None:
    assert set(COVERED.states()) <= set(COVERED.known())


@pytest.mark.parametrize("name", list(ROWS))
def test_a_cause_is_named_or_it_is_said_why_not(name: str) -> None:
    row = ROWS[name]
    assert row.states or row.cause.get("gap"), f"no state has stands_for: [{name}], and no gap says why"
    assert not (row.states and row.cause.get("gap")), f"{row.states} show it: the gap is closed"
    assert row.cause["sources"]
    catalogue = Catalogue.load()
    assert set(row.probes()) <= set(catalogue.probes)
    assert set(row.remedies()) <= set(catalogue.remedies)
    assert all(state.probes for state in row.states), "a healthy node stands for no cause"


def test_each_cause_is_listed_once() -> None:
    assert len(ROWS) == len(COVERED.rows())


def test_another_list_is_held_against_this_one(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.yaml"
    corpus.write_text("- id: sysctl-ip-forward-zero\n- {id: never-met, title: Nobody has met it}\n")
    said = "\n".join(COVERED.causes_page(COVERED.rows(corpus)))
    assert "Named: 1 of 2, 0 of them as a warning." in said
    assert "[ip-forward-disabled](probes/ip-forward-disabled.md)" in said
    assert "- `never-met`: The list of this repository does not have it." in said


def test_what_the_lab_cannot_make_is_by_hand() -> None:
    assert ROWS["conntrack-table-full"].states[0].shown.startswith("by hand: ")
    assert ROWS["sysctl-ip-forward-zero"].cells()[-2:] == [
        "[enable-ip-forward](remedies/enable-ip-forward.md)", "yes",
    ]  # fmt: skip
