"""Near names are found in one place."""

from __future__ import annotations

import pytest

from netdoctor.near_names import near_names
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("word", "near"),
    [("chek", ["check"]), ("CHECK", ["check"]), ("fxi", ["fix"]), ("xyz", []), ("", []), ("statsu", ["status"])],
)
def test_what_somebody_meant(word: str, near: list[str]) -> None:
    assert near_names(word, ["check", "fix", "status"])[:1] == near


def test_nobody_else_compares_names() -> None:
    files = [file for file in (ROOT / "netdoctor").rglob("*.py") if "get_close_matches" in file.read_text()]
    assert [file.name for file in files] == ["near_names.py"]
