"""A folder of settings that stands for a node: probes, remedies and repairs of real files, for the tests of repairs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from netdoctor import Area, Change, Evidence, Finding, NotApplicable, Risk, probe, remedy
from netdoctor.changes.file import WriteFile
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import Look
from netdoctor.diagnosis.check import look as look_at
from netdoctor.facts import Facts
from netdoctor.model import Probe, Remedy, Severity
from netdoctor.repair import proof
from netdoctor.repair.executor import Outcomes, StepEnd, repair
from netdoctor.repair.journal import Journal, begin
from netdoctor.repair.plan import Plan, plan

BEFORE = b"forward = 0\n\xff\n"


@dataclass(frozen=True)
class Folder:
    """a folder of settings"""

    path: Path

    def text(self, name: str) -> str:
        file = self.path / name
        return file.read_bytes().decode("latin-1") if file.exists() else ""


@probe(area=Area.NODE, healthy="the folder is whole", explains=("names-unresolved",))
def forwarding_off(folder: Folder) -> Iterator[Finding]:
    if "forward = 1" not in folder.text("a.conf"):
        yield Finding("forwarding is off", (Evidence("a.conf", "0", "1"),))


@probe(area=Area.NODE, healthy="all is well")
def names_unresolved(folder: Folder) -> Iterator[Finding]:
    if "forward = 1" not in folder.text("a.conf") or "names = 1" not in folder.text("sub/deep/b.conf"):
        yield Finding("names do not resolve", (Evidence("b.conf", "0", "1"),))


@probe(area=Area.NODE, healthy="all is well")
def door_open(folder: Folder) -> Iterator[Finding]:
    if "open" in folder.text("a.conf") + folder.text("sub/deep/b.conf"):
        yield Finding("the door is open", (Evidence("a.conf", "open", "closed"),))
    if "ajar" in folder.text("sub/deep/b.conf"):
        yield Finding("the door is ajar", (Evidence("b.conf", "ajar", "closed"),), severity=Severity.WARNING)


def write(folder: Folder, name: str, text: str) -> WriteFile:
    return WriteFile.planned(str(folder.path / name), text)


@remedy(fixes="forwarding-off")
def switch_on(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "extra.conf", "more\n")
    yield write(folder, "a.conf", "forward = 1\n")


@remedy(fixes="names-unresolved")
def add_names(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    if "names = 1" not in folder.text("sub/deep/b.conf"):
        yield write(folder, "sub/deep/b.conf", "names = 1\n")


@remedy(fixes="names-unresolved")
def add_nothing_useful(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "sub/deep/b.conf", "names = 2\n")


@remedy(fixes="names-unresolved")
def leave_the_door_ajar(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "sub/deep/b.conf", "names = 1\najar\n")


@remedy(fixes="names-unresolved")
def open_the_door(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "sub/deep/b.conf", "names = 1\nopen\n")


@remedy(fixes="names-unresolved", risk=Risk.MANUAL)
def call_somebody(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "sub/deep/b.conf", "names = 1\n")


@remedy(fixes="names-unresolved")
def stop_here(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    """Hold the repair up once forwarding is on, after its first step."""
    if "forward = 1" in folder.text("a.conf"):
        (folder.path / "stopped").touch()
        time.sleep(60)
    yield write(folder, "sub/deep/b.conf", "names = 1\n")


@remedy(fixes="forwarding-off")
def give_up(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    if findings:
        raise NotApplicable("the owner has to say")
    yield write(folder, "a.conf", "")


@dataclass
class Node:
    """A folder that stands for a node, and what is said about it."""

    folder: Path
    said: list[str] = field(default_factory=list)
    looks: int = 0
    experimented: list[bool] = field(default_factory=list)  # of each look: whether it tried things on copies
    asked: list[set[str] | None] = field(default_factory=list)  # of each look: the probes, None for all

    def catalogue(self, *remedies: Remedy) -> Catalogue:
        probes: tuple[Probe, ...] = (forwarding_off, names_unresolved, door_open)
        return Catalogue.of({p.name: p for p in probes}, {r.name: r for r in remedies})

    def look(self, catalogue: Catalogue, experiments: bool = True, only: Collection[str] | None = None) -> Look:
        self.looks += 1
        self.experimented.append(experiments)
        self.asked.append(None if only is None else set(only))
        return look_at(catalogue, Facts({Folder: Folder(self.folder)}, live=False), only, experiments=experiments)

    def repair(self, *remedies: Remedy, say: Callable[[str], None] | None = None) -> tuple[Outcomes, Journal]:
        catalogue = self.catalogue(*remedies)
        journal = begin()
        first = self.look(catalogue)
        return self.execute(catalogue, plan(catalogue, first), first, journal, say), journal

    def execute(
        self,
        catalogue: Catalogue,
        planned: Plan,
        first: Look,
        journal: Journal,
        say: Callable[[str], None] | None = None,
        agree: Callable[[Plan, Look], bool] = lambda _plan, _seen: True,
    ) -> Outcomes:
        return repair(
            catalogue,
            planned,
            first,
            partial(self.look, catalogue),
            journal,
            say or self.said.append,
            agree,
        )

    def files(self) -> dict[str, tuple[bytes, int]]:
        return {
            str(p.relative_to(self.folder)): (p.read_bytes() if p.is_file() else b"", p.stat().st_mode)
            for p in sorted(self.folder.rglob("*"))
        }


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setenv("NETDOCTOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(proof, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(proof, "PAUSE", 0.01)
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "a.conf").write_bytes(BEFORE)
    (folder / "a.conf").chmod(0o640)
    return Node(folder)


def ends(outcomes: Outcomes) -> list[tuple[str, StepEnd]]:
    return [(step.remedy, step.end) for step in outcomes.steps]
