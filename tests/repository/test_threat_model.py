"""docs/threat-model.md names code that is there, everybody who can influence netdoctor, and fits on one page."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs/threat-model.md"
WHO = (
    "administrator", "user behind sudo", "checkout", "pod", "tenant", "registry", "resolver", "HTTP", "Postgres",
    "sender of a recording", "reader of a report", "Another local user", "breaks in between",
)  # fmt: skip
LONGEST = 80


def rows() -> list[list[str]]:
    """The cells of each actor's row."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| **")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def paths(text: str) -> list[str]:
    """What is written as a path of this repository."""
    return re.findall(r"`((?:netdoctor|requirements|scripts|tests|docs)/[^`\s]*|[\w.-]+\.toml)`", text)


def test_it_is_one_page() -> None:
    assert len(PAGE.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("who", WHO)
def test_everybody_is_in_it(who: str) -> None:
    assert any(who in row[0] for row in rows())


def test_each_border_is_code_that_is_there() -> None:
    for who, may, never, border in rows():
        assert may, who
        assert never, who
        assert paths(border), who
        assert re.sub(r"`[^`]+`|[ ,]", "", border.rstrip("|")) == "", f"{who}: more than paths: {border}"
    for path in paths(PAGE.read_text()):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", ["README.md", "docs/SECURITY.md"])
def test_readers_are_led_to_it(page: str) -> None:
    assert re.search(r"\]\((docs/)?threat-model\.md\)", (ROOT / page).read_text())


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target
