"""Each test throws its dice by its own name: a test that fails here fails everywhere, whatever ran before it."""

from __future__ import annotations

import pytest

from tests.redact import canary_forms, innocent_lines, object_names


@pytest.fixture(autouse=True)
def dice_of_the_test(request: pytest.FixtureRequest) -> None:
    for dice in (canary_forms.DICE, innocent_lines.DICE, object_names.DICE):
        dice.seed(request.node.nodeid)
