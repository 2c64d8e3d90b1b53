"""docs/supported.md calls tested only what the lab has, and each of its rows has a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.lab.nodelab import config

PAGE = (ROOT / "docs/supported.md").read_text()
WORDS = ("tested in the lab", "expected to work", "not for")


def rows() -> Iterator[tuple[str, str, str]]:
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] != "what":
            what, known, reason = cells
            yield what, known, reason


ROWS = list(rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_says_how_much_is_known_and_why(row: tuple[str, str, str]) -> None:
    _, known, reason = row
    assert known.startswith(WORDS)
    assert reason.rstrip(" |")


@pytest.mark.parametrize("row", [row for row in ROWS if row[1] == WORDS[0]], ids=lambda row: row[0])
def test_what_is_tested_names_what_tests_it(row: tuple[str, str, str]) -> None:
    assert re.search(r"`tests/[^`]+`", row[2])


def test_each_path_exists() -> None:
    for path in re.findall(r"`(tests/[^`]+)`", PAGE):
        assert (ROOT / path).exists(), path


def test_versions_are_those_of_the_lab() -> None:
    assert f"Kubernetes {config.KUBERNETES.removeprefix('v').rpartition('.')[0]} " in PAGE
    assert f"firewalld {' and '.join(config.FIREWALLD)}, " in PAGE
    assert config.SUITE == "bookworm", "the page says Debian 12"


@pytest.mark.parametrize("data_plane", ["Cilium", "eBPF"])
def test_what_it_is_not_for_is_said(data_plane: str) -> None:
    assert any(data_plane in what and known.startswith("not for") for what, known, _ in ROWS)
