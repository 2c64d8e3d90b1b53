"""docs/ as a site: built without a warning, with every page in it, and nothing that a browser loads from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.scripts import script

SITE = script("build_site.py")
GRAPH = script("neighbour_graph.py").graph


@pytest.mark.thorough
def test_the_site_is_built_without_a_warning() -> None:
    if SITE.generator() is None:
        pytest.skip("the site's generator is not installed: make docs")
    assert SITE.build() == ""
    start = (ROOT / "site/index.html").read_text()
    assert "img/trace.svg" in start


@pytest.mark.parametrize(
    "html",
    ['<script src="https://example.com/a.js">', "<script async src=//example.com/a.js>",
     '<link rel="stylesheet" href="https://example.com/a.css">', '<img alt="" src="http://example.com/a.png">'],
)  # fmt: skip
def test_what_is_loaded_from_elsewhere_is_found(html: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SITE, "SITE", tmp_path / "site")
    monkeypatch.setattr(SITE, "ROOT", tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site/own.html").write_text('<script src="a.js"></script><a href="https://example.com">')
    assert SITE.loaded_from_elsewhere() == []
    (tmp_path / "site/page.html").write_text(html)
    assert len(SITE.loaded_from_elsewhere()) == 1


def test_links_lead_to_pages_of_the_site_or_are_text() -> None:
    source = ROOT / "docs/probes/ip-forward-disabled.md"
    text = "[a](../twin.md#x) [b](../../README.md) [c](../../tests/faults/ip-forward-zero.yaml) [d](nowhere.md) [e](#f)"
    assert SITE.rewritten(text, source, SITE.pages()) == "[a](../twin.md#x) [b](../index.md) c [d](nowhere.md) [e](#f)"
    assert "![p](img/trace.svg)" in SITE.rewritten("![p](docs/img/trace.svg)", ROOT / "README.md", SITE.pages())


def test_a_diagram_becomes_a_list() -> None:
    diagram = '    a["x.py<br>f"] -->|yes| b["y/"]\n    b -.reads.-> c["z.py<br>g: all"]\n    c --> a\n'
    assert SITE.as_list(diagram).splitlines() == [
        "- `x.py` f → *yes* → `y/`", "- `y/` → *reads* → `z.py` g: all", "- `z.py` g: all → `x.py` f",
    ]  # fmt: skip
    page = ROOT / "docs/architecture.md"
    shown = SITE.rewritten(page.read_text(), page, SITE.pages())
    arrows = [line for line in page.read_text().splitlines() if re.search(r"-->|\.->", line)]
    assert len(arrows) > 40
    assert sum(line.startswith("- `") and "→" in line for line in shown.splitlines()) == len(arrows)


def test_each_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    named = set(re.findall(r"[\w./-]+\.md", str(nav)))
    places = {str(place) for place in SITE.pages().values() if place.suffix == ".md"}
    assert named <= places
    assert {place for place in places if "/" not in place} <= named


@pytest.mark.parametrize(
    ("causes", "effects", "lines"),
    [
        ((), (), ["me"]),
        (("a",), (), ["a ───▶ me"]),
        ((), ("x", "y"), ["me ─┬─▶ x", "    └─▶ y"]),
        (("a", "bb", "c"), ("x",), ["a ──┐", "bb ─┼─▶ me ───▶ x", "c ──┘"]),
        (("a",), ("x", "y", "z"), ["           ┌─▶ x", "a ───▶ me ─┼─▶ y", "           └─▶ z"]),
    ],
)
def test_a_graph_is_drawn(causes: tuple[str, ...], effects: tuple[str, ...], lines: list[str]) -> None:
    assert GRAPH(causes, "me", effects) == lines
