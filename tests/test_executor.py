"""The executor on real files: proved, taken back, interrupted, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netdoctor import Change, Evidence, Finding, NotApplicable, Risk, probe, remedy
from netdoctor import executor as executor_module
from netdoctor.catalogue import Catalogue
from netdoctor.changes.file import WriteFile
from netdoctor.check import Look
from netdoctor.check import look as look_at
from netdoctor.errors import Drifted
from netdoctor.executor import End, Outcomes, repair
from netdoctor.facts import Facts
from netdoctor.host import Host
from netdoctor.journal import Closed, Journal, State, begin, load, reopen
from netdoctor.model import Outcome, Probe, Remedy
from netdoctor.planner import plan
from netdoctor.runs import runs
from netdoctor.taking_back import undo

BEFORE = b"forward = 0\n\xff\n"


@dataclass(frozen=True)
class Folder:
    """a folder of settings"""

    path: Path

    def text(self, name: str) -> str:
        file = self.path / name
        return file.read_bytes().decode("latin-1") if file.exists() else ""


@probe(explains=("names-unresolved",))
def forwarding_off(folder: Folder) -> Iterator[Finding]:
    if "forward = 1" not in folder.text("a.conf"):
        yield Finding("forwarding is off", (Evidence("a.conf", "0", "1"),))


@probe()
def names_unresolved(folder: Folder) -> Iterator[Finding]:
    if "forward = 1" not in folder.text("a.conf") or "names = 1" not in folder.text("sub/deep/b.conf"):
        yield Finding("names do not resolve", (Evidence("b.conf", "0", "1"),))


@probe()
def door_open(folder: Folder) -> Iterator[Finding]:
    if "open" in folder.text("a.conf") + folder.text("sub/deep/b.conf"):
        yield Finding("the door is open", (Evidence("a.conf", "open", "closed"),))


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
def open_the_door(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "sub/deep/b.conf", "names = 1\nopen\n")


@remedy(fixes="names-unresolved", risk=Risk.MANUAL)
def call_somebody(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
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

    def catalogue(self, *remedies: Remedy) -> Catalogue:
        probes: tuple[Probe, ...] = (forwarding_off, names_unresolved, door_open)
        return Catalogue.of({p.name: p for p in probes}, {r.name: r for r in remedies})

    def look(self, catalogue: Catalogue) -> Look:
        self.looks += 1
        return look_at(catalogue, Facts({Folder: Folder(self.folder)}, live=False))

    def repair(self, *remedies: Remedy, say: Callable[[str], None] | None = None) -> tuple[Outcomes, Journal]:
        catalogue = self.catalogue(*remedies)
        journal = begin()
        first = self.look(catalogue)
        return repair(catalogue, first, lambda: self.look(catalogue), journal, say or self.said.append), journal

    def files(self) -> dict[str, tuple[bytes, int]]:
        return {
            str(p.relative_to(self.folder)): (p.read_bytes() if p.is_file() else b"", p.stat().st_mode)
            for p in sorted(self.folder.rglob("*"))
        }


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setenv("NETDOCTOR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(executor_module, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(executor_module, "PAUSE", 0.01)
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "a.conf").write_bytes(BEFORE)
    (folder / "a.conf").chmod(0o640)
    return Node(folder)


def ends(outcomes: Outcomes) -> list[tuple[str, End]]:
    return [(step.remedy, step.end) for step in outcomes.steps]


def test_proved_and_undone_to_the_byte(node: Node) -> None:
    before = node.files()
    outcomes, journal = node.repair(switch_on, add_names)
    assert ends(outcomes) == [("switch-on", End.PROVED), ("add-names", End.PROVED)]
    assert all(result.outcome is Outcome.PASS for result in outcomes.last.results.values())
    assert load(journal.path).closed is Closed.COMMITTED
    assert (node.folder / "a.conf").stat().st_mode & 0o777 == 0o640
    assert undo(journal.entries, journal, node.said.append) == ""
    assert node.files() == before
    assert undo(journal.entries, journal, node.said.append) == ""


def test_a_target_that_still_fails_is_taken_back_and_the_proved_step_stays(node: Node) -> None:
    outcomes, journal = node.repair(switch_on, add_nothing_useful)
    assert ends(outcomes) == [("switch-on", End.PROVED), ("add-nothing-useful", End.ROLLED_BACK)]
    assert "names do not resolve" in outcomes.steps[1].why
    assert not (node.folder / "sub").exists()
    assert (node.folder / "a.conf").read_text() == "forward = 1\n"
    assert outcomes.last.results["names-unresolved"].outcome is Outcome.FAIL
    assert load(journal.path).closed is Closed.COMMITTED
    assert [entry.state for entry in journal.entries] == [State.VERIFIED, State.VERIFIED, State.UNDONE]


def test_a_guard_that_breaks_takes_the_step_back(node: Node) -> None:
    outcomes, _ = node.repair(switch_on, open_the_door)
    assert ends(outcomes)[1] == ("open-the-door", End.ROLLED_BACK)
    assert outcomes.steps[1].why == "door-open passed before and does not any more"
    assert not (node.folder / "sub").exists()


def test_all_rolled_back_leaves_nothing_in_force(node: Node) -> None:
    before = node.files()
    outcomes, journal = node.repair(add_nothing_useful)
    assert ends(outcomes) == [("add-nothing-useful", End.ROLLED_BACK)]
    assert not outcomes.changed
    assert load(journal.path).closed is Closed.ROLLED_BACK
    assert node.files() == before


def test_drift_between_plan_and_change(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Journal.plan

    def meanwhile(journal: Journal, step: str, change: Change) -> object:
        (node.folder / "a.conf").write_text("somebody else\n")
        return original(journal, step, change)

    monkeypatch.setattr(Journal, "plan", meanwhile)
    outcomes, journal = node.repair(switch_on)
    assert ends(outcomes) == [("switch-on", End.ROLLED_BACK)]
    assert "no longer what it was" in outcomes.steps[0].why
    assert (node.folder / "a.conf").read_text() == "somebody else\n"
    assert not (node.folder / "extra.conf").exists()
    assert load(journal.path).closed is Closed.ROLLED_BACK


class Stop(Exception):
    """No error of netdoctor's."""


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupted_halfway(
    node: Node, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], when: str
) -> None:
    before = node.files()
    apply = WriteFile.apply

    def halfway(change: WriteFile, host: Host) -> None:
        if not change.path.endswith("a.conf"):
            return apply(change, host)
        if when == "after":
            apply(change, host)
        raise error

    monkeypatch.setattr(WriteFile, "apply", halfway)
    with pytest.raises(error):
        node.repair(switch_on)
    assert node.files() == before
    assert [run.closed for run in runs()] == [Closed.ROLLED_BACK]


def test_ctrl_c_does_not_stop_an_undo(node: Node) -> None:
    before = node.files()
    handler = signal.getsignal(signal.SIGTERM)

    def say(line: str) -> None:
        if line.startswith("taken back"):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        node.said.append(line)

    _, journal = node.repair(switch_on)
    assert undo(journal.entries, journal, say) == ""
    assert any("cannot be interrupted" in line for line in node.said)
    assert node.files() == before
    assert signal.getsignal(signal.SIGTERM) == handler


def test_undo_stops_where_somebody_else_has_a_hand_in_it(node: Node) -> None:
    _, journal = node.repair(switch_on, add_names)
    (node.folder / "a.conf").write_text("mine now\n")
    stuck = undo(journal.entries, journal, node.said.append)
    assert "somebody has changed" in stuck
    assert not (node.folder / "sub").exists()
    assert (node.folder / "extra.conf").exists()
    assert [e.state for e in load(journal.path).entries] == [State.VERIFIED, State.UNDOING, State.UNDONE]
    undo(journal.in_force, journal, node.said.append, force=True)
    assert not (node.folder / "extra.conf").exists()
    assert (node.folder / "a.conf").read_text() == "mine now\n"


def test_what_cannot_be_rolled_back_is_said(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(change: WriteFile, host: Host) -> None:
        raise Drifted("somebody was quicker")

    monkeypatch.setattr(WriteFile, "undo", broken)
    outcomes, journal = node.repair(add_nothing_useful, add_names)
    assert ends(outcomes)[0][1] in (End.LEFT, End.PROVED)
    left = [step for step in outcomes.steps if step.end is End.LEFT]
    assert left
    assert "somebody was quicker" in left[0].why
    assert load(journal.path).closed is None


def test_causes_come_first_and_manual_remedies_are_shown_only(node: Node) -> None:
    catalogue = node.catalogue(call_somebody, give_up)
    made = plan(catalogue, node.look(catalogue))
    assert [step.name for step in made.steps] == ["call-somebody"]
    assert made.to_apply == ()
    assert [(n.probe, n.reason) for n in made.not_repairable] == [("forwarding-off", "the owner has to say")]
    both = node.catalogue(add_names, switch_on)
    assert [step.name for step in plan(both, node.look(both)).steps] == ["switch-on", "add-names"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import importlib.util
spec = importlib.util.spec_from_file_location("executor_tests", {file!r})
module = importlib.util.module_from_spec(spec)
sys.modules["executor_tests"] = module
spec.loader.exec_module(module)
from netdoctor.journal import Journal
left = [{number}]
original = Journal._write
def write(self, **record):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    original(self, **record)
Journal._write = write
module.executor_module.PAUSE = 0.01
module.executor_module.SETTLE_SECONDS = 0.05
node = module.Node(Path({folder!r}))
outcomes, journal = node.repair(module.switch_on, module.open_the_door)
"""


def test_killed_at_every_record_and_undone(node: Node) -> None:
    before = node.files()
    for number in range(1, 20):
        code = KILLED.format(tests=str(Path(__file__).parent), file=__file__, number=number, folder=str(node.folder))
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        if done.returncode == 0:
            assert number > 10
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        for journal in runs():
            if journal.in_force:
                reopen(journal)
                assert undo(journal.entries, journal, node.said.append) == ""
                journal.close(Closed.UNDONE)
        assert node.files() == before, f"killed before record {number}"
    else:
        pytest.fail("it never came to an end")
