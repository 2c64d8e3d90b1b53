"""The small node of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.twin.network import Node, small_node


@pytest.fixture
def node() -> Iterator[Node]:
    with small_node() as made:
        yield made
