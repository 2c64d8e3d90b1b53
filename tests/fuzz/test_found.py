"""What fuzzing has found, and a little of it in each run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import run, strategies

pytestmark = pytest.mark.thorough

FOUND = sorted((Path(__file__).parent / "found").glob("*.json"))
TARGETS = strategies()
WITHOUT_COPIES = sorted(set(TARGETS) - {"recording", "messages of a recording"})


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.stem)
def test_what_was_found_is_taken(file: Path) -> None:
    kept = json.loads(file.read_text())
    run(TARGETS[kept["target"]][0], kept["input"])


@pytest.mark.parametrize("name", WITHOUT_COPIES)
def test_odd_input_gives_a_fact_or_one_sentence(name: str) -> None:
    target, strategy = TARGETS[name]

    @settings(max_examples=15, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @seed(1)
    @given(strategy)
    def ask(value: object) -> None:
        run(target, value)

    ask()


def test_a_target_that_fails_is_told() -> None:
    """The check can fail: a target that raises, and one whose sentence has two lines."""
    from netdoctor.errors import CannotRead

    def broken(value: str) -> None:
        raise KeyError(value)

    def two_lines(value: str) -> None:
        raise CannotRead("x", f"a\n{value}")

    for target, error in ((broken, KeyError), (two_lines, AssertionError)):
        with pytest.raises(error):
            run(target, st.just("a"))
