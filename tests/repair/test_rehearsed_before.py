"""No step of a repair is made that was not rehearsed as it is made; and no repair at all where nothing can be."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from netdoctor import Change, Finding, remedy
from netdoctor.cli import main
from netdoctor.diagnosis import check as check_module
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import Look
from netdoctor.errors import Exposed
from netdoctor.repair.executor import StepEnd
from netdoctor.repair.journal import begin
from netdoctor.repair.plan import Plan
from netdoctor.repair.plan import plan as make_plan
from tests.repair.folder_node import Folder, Node, add_names, add_nothing_useful, ends, node, switch_on, write

__all__ = ["node"]  # the fixture


@remedy(fixes="names-unresolved")
def add_what_is_there(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    """Another change once forwarding is on: nobody has rehearsed that."""
    yield write(folder, "sub/deep/b.conf", "names = 1\n" if "0" in folder.text("a.conf") else "names = 1\nmore\n")


def repaired(node: Node, *remedies: object, refuse: bool = False) -> tuple[list[list[str]], list[tuple[str, StepEnd]]]:
    """The steps of each plan that was asked for after the first, and how the steps of the repair ended."""
    further: list[list[str]] = []

    def agree(plan: Plan, seen: Look) -> bool:
        further.append([step.name for step in plan.to_apply])
        if refuse:
            raise Exposed("refused after a rehearsal")
        return True

    catalogue = node.catalogue(*remedies)  # type: ignore[arg-type]
    first = node.look(catalogue)
    outcomes = node.execute(catalogue, make_plan(catalogue, first), first, begin(), agree=agree)
    return further, ends(outcomes)


def test_a_plan_is_agreed_to_once(node: Node) -> None:
    asked, ended = repaired(node, switch_on, add_names)
    assert asked == []
    assert [end for _, end in ended] == [StepEnd.PROVED, StepEnd.PROVED]


def test_a_step_that_has_changed_is_asked_for_again(node: Node) -> None:
    asked, ended = repaired(node, switch_on, add_what_is_there)
    assert asked == [["add-what-is-there"]]
    assert [end for _, end in ended] == [StepEnd.PROVED, StepEnd.DRIFTED, StepEnd.PROVED]
    assert (node.folder / "sub/deep/b.conf").read_text() == "names = 1\nmore\n"


def test_a_step_that_has_changed_is_not_made_where_that_is_refused(node: Node) -> None:
    with pytest.raises(Exposed):
        repaired(node, switch_on, add_what_is_there, refuse=True)
    assert (node.folder / "a.conf").read_text() == "forward = 1\n", "the proved step stays"
    assert not (node.folder / "sub").exists()


@remedy(fixes="forwarding-off")
def switch_nothing_on(findings: tuple[Finding, ...], folder: Folder) -> Iterator[Change]:
    yield write(folder, "extra.conf", "more\n")


def test_what_comes_after_a_step_that_was_not_made_is_asked_for_again(node: Node) -> None:
    asked, ended = repaired(node, switch_nothing_on, add_nothing_useful)
    assert asked == [["add-nothing-useful"]]
    assert ended[0] == ("switch-nothing-on", StepEnd.ROLLED_BACK)


Fix = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fix(node: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fix:
    """`netdoctor fix` on a folder that stands for a node, of whose network no copy can be made."""
    catalogue = node.catalogue(switch_on, add_names)
    monkeypatch.setattr(Catalogue, "load", lambda: catalogue)
    monkeypatch.setattr(check_module, "look", lambda *_, **__: node.look(catalogue))
    monkeypatch.setattr("netdoctor.system.host.os.geteuid", lambda: 0)

    def run(*options: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["netdoctor", "fix", *options])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_what_cannot_be_rehearsed_is_not_made(node: Node, fix: Fix) -> None:
    before = node.files()
    status, _, err = fix()
    assert status == 3
    assert "refused: it is not rehearsed: recording: it does not hold NodeNetwork" in err
    assert "use --without-rehearsal to apply it anyway" in err
    assert node.files() == before
    status, out, _ = fix("--dry-run", "-o", "json")
    assert status == 1
    assert json.loads(out)["rehearsal"] == {"not_rehearsed": "recording: it does not hold NodeNetwork"}
    assert fix("--allow-exposure")[0] == 3, "that is another question"


def test_a_person_may_want_it_without_a_rehearsal(node: Node, fix: Fix) -> None:
    status, out, err = fix("--without-rehearsal", "--yes")
    assert status == 0, out + err
    assert "not rehearsed on a copy of this node: --without-rehearsal was given" in out
    assert (node.folder / "a.conf").read_text() == "forward = 1\n"
