"""Nothing is changed before somebody has agreed to it: `netdoctor fix` on a real terminal, and without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from netdoctor.repair.journal import Closed
from netdoctor.repair.runs import runs
from tests.conftest import ROOT
from tests.repair.folder_node import BEFORE, Node, node
from tests.schemas import valid
from tests.terminal.on_terminal import LONGEST, Terminal

pytestmark = pytest.mark.thorough

__all__ = ["node"]  # the fixture
AFTER = b"forward = 1\n"


def netdoctor(node: Node, *arguments: str, remedies: str = "switch_on,add_names") -> list[str]:
    """A command on the folder that stands for a node."""
    return [sys.executable, "-m", "tests.repair.fix_on_folder", str(node.folder), remedies, *arguments]


def fix(node: Node, *arguments: str, remedies: str = "switch_on,add_names") -> list[str]:
    return netdoctor(node, "fix", "--without-rehearsal", *arguments, remedies=remedies)


def without_terminal(argv: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, check=False, capture_output=True, text=True, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=LONGEST,
        env={**os.environ, **environment},
    )  # fmt: skip


def on_terminal(argv: list[str]) -> Terminal:
    return Terminal.running(argv, str(ROOT))


@pytest.mark.parametrize("answer", ["n\n", "\n", "yess\n", "\x04"])
def test_only_yes_is_yes(node: Node, answer: str) -> None:
    before = node.files()
    terminal = on_terminal(fix(node))
    terminal.until("Make these 2 repairs? [y/N] ")
    assert "+ forward = 1" in terminal.text, "what is asked for was shown"
    terminal.type(answer)
    assert terminal.ended() == 1
    assert "Nothing was changed" in terminal.text
    assert node.files() == before
    assert runs() == []


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_yes_makes_it(node: Node, answer: str) -> None:
    terminal = on_terminal(fix(node))
    terminal.until("Make these 2 repairs? [y/N] ")
    assert (node.folder / "a.conf").read_bytes() == BEFORE
    terminal.type(answer)
    assert terminal.ended() == 0, terminal.text
    assert (node.folder / "a.conf").read_bytes() == AFTER
    assert terminal.text.count("[y/N]") == 1, "once is enough"
    assert terminal.text.count("made, proved: ") == 2, "each result once"
    assert terminal.text.count("HEALTHY  3 checks pass, 2 failed before; 2 repairs in ") == 1


def test_a_dry_run_says_what_would_make_the_changes(node: Node) -> None:
    before = node.files()
    done = without_terminal(fix(node, "--dry-run", "--only", "switch-on"))
    assert done.stdout.splitlines()[-1] == (
        "Nothing was changed. To make these changes: sudo netdoctor fix --only switch-on --without-rehearsal"
    )
    assert node.files() == before


def test_a_dry_run_of_what_cannot_be_rehearsed_says_that_it_would_be_refused(node: Node) -> None:
    done = without_terminal(netdoctor(node, "fix", "--dry-run"))
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Nothing was changed. It would be refused: it is not rehearsed: ")
    assert last.endswith("; use --without-rehearsal to apply it anyway")


def test_verbose_shows_the_whole_diff_before_it_asks(node: Node) -> None:
    terminal = on_terminal(fix(node, "-v"))
    terminal.until("[y/N] ")
    for words in ("CAUSE  forwarding is off", "why: names do not resolve", "@@ -1,2 +1 @@"):
        assert words in terminal.text
    assert "otherwise the change is rolled back" in terminal.words
    terminal.type("n\n")
    assert terminal.ended() == 1


def test_ctrl_c_at_the_question_changes_nothing(node: Node) -> None:
    before = node.files()
    terminal = on_terminal(fix(node))
    terminal.until("[y/N] ")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert node.files() == before
    assert runs() == []


def test_what_has_changed_while_the_question_stood_is_shown_and_asked_for(node: Node) -> None:
    terminal = on_terminal(fix(node, remedies="switch_on"))
    terminal.until("Make this repair? [y/N] ")
    (node.folder / "a.conf").write_text("somebody else\n")
    terminal.type("y\n")
    terminal.until("the node is not as it was when the repair was planned")
    terminal.until("- somebody else")
    assert (node.folder / "a.conf").read_text() == "somebody else\n"
    assert terminal.text.count("[y/N]") < 3
    terminal.until("[y/N] ")
    terminal.type("n\n")
    assert terminal.ended() == 1
    assert (node.folder / "a.conf").read_text() == "somebody else\n"
    assert [run.closed for run in runs()] == [Closed.ROLLED_BACK]


def test_without_a_terminal_nothing_is_done(node: Node) -> None:
    before = node.files()
    done = without_terminal(fix(node))
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "netdoctor: nothing was changed: without a terminal nobody can be asked; --yes makes these 2 repairs"
    )
    assert "+ forward = 1" in done.stdout
    assert node.files() == before
    assert runs() == []
    document = valid("error", without_terminal(fix(node, "-o", "json")).stdout)
    assert document["error"].startswith("nothing was changed: without a terminal")


def test_json_tells_what_would_be_and_what_was_made(node: Node) -> None:
    planned = valid("fix", without_terminal(fix(node, "--dry-run", "-o", "json")).stdout)
    assert (planned["dry_run"], planned["run"], planned["steps"]) == (True, None, [])
    made = valid("fix", without_terminal(fix(node, "--yes", "-o", "json")).stdout)
    assert [step["end"] for step in made["steps"]] == ["proved", "proved"]
    assert made["report"]["exit_code"] == 0


def test_yes_stands_for_the_answer(node: Node) -> None:
    done = without_terminal(fix(node, "--yes"))
    assert done.returncode == 0, done.stderr
    assert (node.folder / "a.conf").read_bytes() == AFTER
    assert without_terminal(fix(node)).returncode == 0, "where nothing is to be repaired nobody has to be asked"


def test_json_on_a_terminal_shows_the_plan_before_it_asks(node: Node) -> None:
    terminal = on_terminal(fix(node, "-o", "json"))
    terminal.until("[y/N] ")
    assert "+ forward = 1" in terminal.text
    terminal.type("n\n")
    assert terminal.ended() == 1
    assert '"declined": true' in terminal.text


@pytest.mark.parametrize("name", ["switch-on", "forwarding-off"])
def test_one_repair_may_be_chosen(node: Node, name: str) -> None:
    done = without_terminal(fix(node, "--yes", "--only", name))
    assert done.returncode == 1
    assert (node.folder / "a.conf").read_bytes() == AFTER
    assert not (node.folder / "sub").exists()
    assert "add-names was not chosen with --only" in done.stdout


def test_a_repair_of_an_unknown_name_is_bad_input(node: Node) -> None:
    done = without_terminal(fix(node, "--yes", "--only", "switch-of"))
    assert done.returncode == 2
    assert "--only switch-of: there is no repair or fault of this name" in done.stderr


def test_the_question_keeps_others_from_changing_the_node(node: Node) -> None:
    terminal = on_terminal(fix(node))
    terminal.until("[y/N] ")
    assert (
        f"another netdoctor (pid {terminal.pid}) is changing this host" in without_terminal(fix(node, "--yes")).stderr
    )
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended() == 130
