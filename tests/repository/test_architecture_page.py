"""docs/architecture.md and the decision records name code that exists: each path, each function, each box."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs/architecture.md"
RECORDS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
PAGES = [PAGE, *RECORDS]
TOPS = "netdoctor|probes|remedies|k8s|overlays|tests|scripts|docs|requirements"
PATH = re.compile(rf"`((?:{TOPS})/[^`\s]*)`")
NAME = re.compile(r"`(netdoctor(?:\.\w+)+)`")
BOX = re.compile(r'\b\w+\["([^"]+)"\]')
PARTS = ("Context", "Decision", "Consequences", "Measured")


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def defined(body: list[ast.stmt], name: str) -> list[ast.stmt] | None:
    """What stands in the class or function of this name, [] for a constant or field, None where there is none."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return node.body
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else ()
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return []
    return None


def has(file: Path, names: list[str]) -> bool:
    body: list[ast.stmt] | None = tree(file).body
    for name in names:
        body = defined(body or [], name)
    return body is not None


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module of this repository, or something that one defines."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            return has(file, parts[length:])
    return False


def boxes() -> list[tuple[str, str, str]]:
    """Of each picture's boxes: the whole text, the path, and what stands below it before a colon."""
    found = []
    for label in BOX.findall(PAGE.read_text()):
        path, _, below = label.partition("<br>")
        found.append((label, path, below.partition(":")[0]))
    return found


def test_there_are_two_pictures() -> None:
    pictures = re.findall(r"^```mermaid\nflowchart TD\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(pictures) == 2
    for picture in pictures:
        named = set(re.findall(r'\b(\w+)\["', picture))
        arrows = re.findall(r"^ *(\w+)(?:\[[^]]*\])? -.*?> *(?:\|[^|]*\|)? *(\w+)", picture, re.MULTILINE)
        assert arrows
        assert {end for arrow in arrows for end in arrow} == named


@pytest.mark.parametrize("box", boxes(), ids=lambda box: box[0])
def test_each_box_is_code_that_exists(box: tuple[str, str, str]) -> None:
    label, path, names = box
    place = ROOT / path
    assert place.is_dir() if path.endswith("/") else place.is_file(), label
    for name in names.split(", ") if names else ():
        files = [place] if place.is_file() else sorted(place.rglob("*.py"))
        dotted = name.split(".")
        methods = [[each.name, *dotted] for file in files for each in tree(file).body if isinstance(each, ast.ClassDef)]
        assert any(has(file, names) for file in files for names in (dotted, *methods)), label


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_path_and_name_exists(page: Path) -> None:
    text = page.read_text()
    paths, names = PATH.findall(text), NAME.findall(text)
    assert paths or names
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [name for name in names if not exists(name)] == []


@pytest.mark.parametrize(
    "made_up", ["netdoctor.system.traffic.ask_sctp", "netdoctor.system.traffic.Reply.lost", "netdoctor.doctor"]
)
def test_a_name_that_does_not_exist_is_noticed(made_up: str) -> None:
    assert not exists(made_up)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_four_parts_and_stands_in_the_list(record: Path) -> None:
    text = record.read_text()
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == PARTS
    assert 25 <= len(text.splitlines()) <= 50
    title = text.partition("\n")[0].removeprefix("# ")
    assert f"[{title}]({record.name})" in (record.parent / "README.md").read_text()


def test_links_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "docs/adr/README.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/STRUCTURE.md"])
def test_readers_are_led_to_the_page(page: str) -> None:
    assert "architecture.md" in (ROOT / page).read_text()
