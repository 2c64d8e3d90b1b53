"""The catalogue: a file is the only registration, and both graphs are checked at load."""

from __future__ import annotations

import importlib
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from netdoctor.diagnosis.catalogue import Catalogue, _one_per_file
from netdoctor.model import Probe, Remedy, Risk
from tests.conftest import ROOT

PROBE_FILES = sorted(p for p in (ROOT / "probes").rglob("*.py") if p.name != "__init__.py")
REMEDY_FILES = sorted(p for p in (ROOT / "remedies").rglob("*.py") if p.name != "__init__.py")


def probe(name: str, requires: tuple[str, ...] = (), explains: tuple[str, ...] = ()) -> Probe:
    return Probe(name, lambda: iter(()), requires, explains, False, "")


def test_every_file_is_registered_under_its_name() -> None:
    catalogue = Catalogue.load()
    assert sorted(catalogue.probes) == sorted(p.stem.replace("_", "-") for p in PROBE_FILES)
    assert sorted(catalogue.remedies) == sorted(p.stem.replace("_", "-") for p in REMEDY_FILES)


@pytest.mark.parametrize("file", PROBE_FILES, ids=lambda p: p.stem)
def test_a_probe_is_a_manual_page_too(file: Path) -> None:
    manual = Catalogue.load().probes[file.stem.replace("_", "-")].manual
    title, blank, *_ = manual.splitlines()
    assert title.endswith(".")
    assert blank == ""
    headings = re.findall(r"^## (.+)$", manual, re.MULTILINE)
    allowed = ["What it checks", "Why it matters", "When it mends itself", "When it is not a fault", "By hand"]
    assert {"What it checks", "Why it matters", "By hand"} <= set(headings)
    assert headings == [heading for heading in allowed if heading in headings]
    for heading in headings:
        assert re.search(rf"## {heading}\n\S", manual), f"nothing stands under {heading}"


@pytest.mark.parametrize("file", PROBE_FILES + REMEDY_FILES, ids=lambda p: p.stem)
def test_names_are_words(file: Path) -> None:
    words = file.stem.split("_")
    assert 2 <= len(words) <= 5
    assert all(re.fullmatch(r"[a-z]{2,}|ipv6", word) for word in words)


@pytest.mark.parametrize("relation", ["requires", "explains"])
def test_unknown_names_and_circles_are_refused(relation: str) -> None:
    with pytest.raises(LookupError, match="a names an unknown probe: b"):
        Catalogue.of({"a": probe("a", **{relation: ("b",)})}, {})
    with pytest.raises(LookupError, match=f"{relation} goes round in a circle"):
        Catalogue.of({"a": probe("a", **{relation: ("b",)}), "b": probe("b", **{relation: ("a",)})}, {})


def test_a_remedy_for_nothing_is_refused() -> None:
    with pytest.raises(LookupError, match="r names an unknown probe: gone"):
        Catalogue.of({}, {"r": Remedy("r", "gone", lambda _: iter(()), Risk.SAFE, "")})


def test_safe_remedies_come_first() -> None:
    remedies = {
        name: Remedy(name, "a", lambda _: iter(()), risk, "")
        for name, risk in (("a-manual", Risk.MANUAL), ("z-safe", Risk.SAFE), ("b-safe", Risk.SAFE))
    }
    found = Catalogue.of({"a": probe("a")}, remedies).remedies_for("a")
    assert [r.name for r in found] == ["b-safe", "z-safe", "a-manual"]


def test_orders() -> None:
    catalogue = Catalogue.of(
        {"a": probe("a", ("c",), ("b",)), "b": probe("b"), "c": probe("c", explains=("a",))}, {}
    )  # fmt: skip
    assert catalogue.order().index("c") < catalogue.order().index("a")
    assert catalogue.causes_first() == ["c", "a", "b"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / f"made_{tmp_path.name.replace('-', '_')}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    return folder


def loaded(folder: Path) -> ModuleType:
    return importlib.import_module(folder.name)


SOURCE = '''"""Fault number {n}.

## What it checks
A setting.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.facts.node.sysctl import Sysctls
from netdoctor.facts.cluster.this_node import ThisNode


@probe(area=Area.NODE, healthy="it is on", {explains})
def fault_{n}(sysctls: Sysctls, this: ThisNode) -> Iterator[Finding]:
    """A fault."""
    if sysctls["net.ipv4.ip_forward"] != "1":
        yield Finding("it is off", (Evidence("a", "b", "c"),), Subject(node=this.name))
'''


def test_a_hundred_files_load_quickly(package: Path) -> None:
    names = [f"{a}{b}" for a in "abcdefghij" for b in "abcdefghij"]
    for place, name in enumerate(names):
        explains = f'explains=("fault-{names[place + 1]}",)' if place % 3 == 0 and place < 99 else ""
        (package / f"fault_{name}.py").write_text(SOURCE.format(n=name, explains=explains))
    module = loaded(package)

    def catalogue() -> int:
        return len(Catalogue.of(_one_per_file(module, Probe), {}).probes)

    def plainly() -> int:  # what Python itself takes for it on this machine
        return len([importlib.import_module(f"{package.name}.fault_{name}") for name in names])

    seconds: dict[Callable[[], int], list[float]] = {catalogue: [], plainly: []}
    for _ in range(7):  # in turn, for a processor may be slower for a while; the first time compiles
        for load in (catalogue, plainly):
            for name in [m for m in sys.modules if m.startswith(package.name + ".")]:
                del sys.modules[name]
            importlib.invalidate_caches()
            begin = time.process_time()
            assert load() == 100
            seconds[load].append(time.process_time() - begin)
    least = {load: min(taken) for load, taken in seconds.items()}
    assert least[catalogue] <= 1.5 * least[plainly], least


def test_a_file_without_its_probe_is_refused(package: Path) -> None:
    (package / "fault_one.py").write_text("fault_two = 1\n")
    with pytest.raises(TypeError, match="has no probe called fault_one"):
        _one_per_file(loaded(package), Probe)


def test_two_files_of_one_name_are_refused(package: Path) -> None:
    for side in ("host", "cluster"):
        (package / side).mkdir()
        (package / side / "__init__.py").write_text("")
        (package / side / "fault_x.py").write_text(SOURCE.format(n="x", explains=""))
    with pytest.raises(TypeError, match=r"two files are called fault_x\.py"):
        _one_per_file(loaded(package), Probe)


def test_a_second_copy_of_the_probes_is_refused() -> None:
    with pytest.raises(ImportError, match=r"import netdoctor\.probes"):
        importlib.import_module("probes")
