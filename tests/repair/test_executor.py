"""The executor on real files: proved, taken back, interrupted, killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from netdoctor import Area, Evidence, Finding, probe, remedy
from netdoctor.changes.file import WriteFile
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.errors import Drifted
from netdoctor.model import Change, Outcome
from netdoctor.repair.executor import StepEnd
from netdoctor.repair.journal import Closed, EntryState, Journal, begin, load, reopen
from netdoctor.repair.plan import plan
from netdoctor.repair.proof import complete
from netdoctor.repair.rollback import undo
from netdoctor.repair.runs import runs
from netdoctor.system.host import Host
from tests.conftest import ROOT
from tests.repair.folder_node import (
    Folder,
    Node,
    add_names,
    add_nothing_useful,
    call_somebody,
    ends,
    give_up,
    leave_the_door_ajar,
    node,
    open_the_door,
    switch_on,
    write,
)  # fmt: skip

__all__ = ["node"]  # the fixture


def test_proved_and_undone_to_the_byte(node: Node) -> None:
    before = node.files()
    outcomes, journal = node.repair(switch_on, add_names)
    assert ends(outcomes) == [("switch-on", StepEnd.PROVED), ("add-names", StepEnd.PROVED)]
    assert all(result.outcome is Outcome.PASS for result in outcomes.last.results.values())
    assert load(journal.path).closed is Closed.COMMITTED
    assert (node.folder / "a.conf").stat().st_mode & 0o777 == 0o640
    assert not undo(journal.entries, journal, node.said.append).stuck
    assert node.files() == before
    assert not undo(journal.entries, journal, node.said.append).stuck


def test_a_target_that_still_fails_is_taken_back_and_the_proved_step_stays(node: Node) -> None:
    outcomes, journal = node.repair(switch_on, add_nothing_useful)
    assert ends(outcomes) == [("switch-on", StepEnd.PROVED), ("add-nothing-useful", StepEnd.ROLLED_BACK)]
    assert "names do not resolve" in outcomes.steps[1].why
    assert not (node.folder / "sub").exists()
    assert (node.folder / "a.conf").read_text() == "forward = 1\n"
    assert outcomes.last.results["names-unresolved"].outcome is Outcome.FAIL
    assert load(journal.path).closed is Closed.COMMITTED
    assert [entry.state for entry in journal.entries] == [EntryState.VERIFIED, EntryState.VERIFIED, EntryState.UNDONE]


@probe(area=Area.NODE, healthy="the lamp is on")
def lamp_off(folder: Folder) -> Iterator[Finding]:
    if not folder.text("lamp.conf"):
        yield Finding("the lamp is off", (Evidence("lamp.conf", "0", "1"),))


@remedy(fixes="forwarding-off")
def switch_all_on(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "a.conf", "forward = 1\n")
    yield write(folder, "sub/deep/b.conf", "names = 1\n")


@remedy(fixes="lamp-off")
def light(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "lamp.conf", "1\n")


def test_the_step_after_one_that_is_not_needed_any_more_is_made_without_a_new_plan(node: Node) -> None:
    probes = {**node.catalogue().probes, lamp_off.name: lamp_off}
    catalogue = Catalogue.of(probes, {each.name: each for each in (switch_all_on, add_names, light)})
    first = node.look(catalogue)
    outcomes = node.execute(catalogue, plan(catalogue, first), first, begin(), agree=lambda *_: False)
    by_remedy = dict(ends(outcomes))
    assert by_remedy == {
        "switch-all-on": StepEnd.PROVED, "add-names": StepEnd.SKIPPED, "light": StepEnd.PROVED,
    }  # fmt: skip


def test_a_guard_that_only_warns_does_not_break(node: Node) -> None:
    outcomes, _ = node.repair(switch_on, leave_the_door_ajar)
    assert [step.end for step in outcomes.steps] == [StepEnd.PROVED, StepEnd.PROVED]
    assert node.experimented == [True, False, False, False], "what only warns is not tried on copies"


def test_a_guard_that_breaks_takes_the_step_back(node: Node) -> None:
    outcomes, _ = node.repair(switch_on, open_the_door)
    assert ends(outcomes)[1] == ("open-the-door", StepEnd.ROLLED_BACK)
    assert outcomes.steps[1].why == "door-open passed before the change and fails now"
    assert not (node.folder / "sub").exists()


def test_all_rolled_back_leaves_nothing_in_force(node: Node) -> None:
    before = node.files()
    outcomes, journal = node.repair(add_nothing_useful)
    assert ends(outcomes) == [("add-nothing-useful", StepEnd.ROLLED_BACK)]
    assert not outcomes.changed
    assert load(journal.path).closed is Closed.ROLLED_BACK
    assert node.files() == before


def somebody_else(node: Node, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Whoever writes a.conf between the plan and the change, so many times."""
    original, left = Journal.plan, list(range(times))

    def meanwhile(journal: Journal, step: str, change: Change) -> object:
        if left:
            (node.folder / "a.conf").write_text(f"somebody else, {left.pop()} times more\n")
        return original(journal, step, change)

    monkeypatch.setattr(Journal, "plan", meanwhile)


def test_a_node_that_has_changed_since_the_plan_is_planned_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else(node, monkeypatch, times=1)
    outcomes, journal = node.repair(switch_on)
    assert ends(outcomes) == [("switch-on", StepEnd.DRIFTED), ("switch-on", StepEnd.PROVED)]
    assert "no longer what it was" in outcomes.steps[0].why
    assert (node.folder / "a.conf").read_text() == "forward = 1\n"
    assert not undo(journal.in_force, journal, node.said.append).stuck
    assert (node.folder / "a.conf").read_text() == "somebody else, 0 times more\n"


def test_nothing_is_made_of_a_new_plan_that_is_not_agreed_to(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else(node, monkeypatch, times=1)
    catalogue, journal = node.catalogue(switch_on), begin()
    first = node.look(catalogue)
    outcomes = node.execute(catalogue, plan(catalogue, first), first, journal, agree=lambda *_: False)
    assert ends(outcomes) == [("switch-on", StepEnd.DRIFTED)]
    assert (node.folder / "a.conf").read_text() == "somebody else, 0 times more\n"
    assert not (node.folder / "extra.conf").exists()
    assert load(journal.path).closed is Closed.ROLLED_BACK


def test_a_node_that_never_stands_still_is_left_alone(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else(node, monkeypatch, times=1000)
    outcomes, _ = node.repair(switch_on)
    assert ends(outcomes) == [("switch-on", StepEnd.DRIFTED)] * 3
    assert not outcomes.changed


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


def test_what_cannot_be_rolled_back_is_said(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(change: WriteFile, host: Host) -> None:
        raise Drifted("somebody was quicker")

    monkeypatch.setattr(WriteFile, "undo", broken)
    outcomes, journal = node.repair(add_nothing_useful, add_names)
    assert ends(outcomes) == [("add-names", StepEnd.LEFT)]
    left = [step for step in outcomes.steps if step.end is StepEnd.LEFT]
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
from netdoctor.repair.journal import Journal
from tests.repair import folder_node as module
left = [int(sys.argv[1])]
original = Journal._write
def write(self, **record):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    original(self, **record)
Journal._write = write
module.proof.PAUSE = 0.01
module.proof.SETTLE_SECONDS = 0.05
module.Node(Path(sys.argv[2])).repair(module.switch_on, module.open_the_door)
"""


@pytest.mark.thorough
def test_killed_at_every_record_and_undone(node: Node) -> None:
    before = node.files()
    for number in range(1, 20):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(number), str(node.folder)],
            check=False, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        if done.returncode == 0:
            assert number > 10
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        for journal in runs():
            if journal.in_force:
                reopen(journal)
                assert not undo(journal.entries, journal, node.said.append).stuck
                journal.close(Closed.UNDONE)
        assert node.files() == before, f"killed before record {number}"
    else:
        pytest.fail("it never came to an end")


def test_after_a_step_only_what_is_to_pass_is_asked_and_in_the_end_everything(node: Node) -> None:
    node.repair(switch_on, add_names)
    first, *proofs, last = node.asked
    assert (first, last) == (None, None)
    assert proofs == [{"forwarding-off", "door-open", "names-unresolved"}] * 2


def test_a_look_that_left_something_out_does_not_end_a_repair(node: Node) -> None:
    catalogue = node.catalogue()
    assert complete(node.look(catalogue, True, ["door-open"]), partial(node.look, catalogue)).whole
    assert node.asked == [{"door-open"}, None]
