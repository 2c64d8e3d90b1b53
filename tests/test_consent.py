"""Nothing is changed before somebody has agreed to it: `netdoctor fix` on a real terminal, and without one."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from netdoctor.journal import Closed
from netdoctor.runs import runs
from tests.conftest import ROOT
from tests.folder_node import BEFORE, Node, node

__all__ = ["node"]  # the fixture
LONGEST = 120.0  # seconds for what takes one or two on a quiet machine
AFTER = b"forward = 1\n"


def argv(node: Node, *arguments: str, remedies: str = "switch_on,add_names") -> list[str]:
    program = [sys.executable, "-m", "tests.fix_on_folder", str(node.folder), remedies]
    return [*program, "fix", "--without-rehearsal", *arguments]


def without_terminal(node: Node, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(node, *arguments), check=False, capture_output=True, text=True, cwd=ROOT, stdin=subprocess.DEVNULL,
        timeout=LONGEST,
    )  # fmt: skip


@dataclass
class Terminal:
    """A program that runs on a terminal of its own, and what it has written there."""

    pid: int
    number: int
    text: str = ""

    @classmethod
    def running(cls, argv: Sequence[str]) -> Terminal:
        pid, number = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execv(argv[0], list(argv))
        return cls(pid, number)

    def until(self, words: str) -> None:
        """Read until it has written these words."""
        end = time.monotonic() + LONGEST
        while words not in self.text:
            assert time.monotonic() < end, self.text
            if not self._read():
                break
        assert words in self.text, self.text

    def _read(self) -> bool:
        if not select.select([self.number], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self.number, 1 << 16)
        except OSError:  # it has ended
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self.number, text.encode())

    def ended(self) -> int:
        """Read what is left; the exit status."""
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.number)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("answer", ["n\n", "\n", "yess\n", "\x04"])
def test_only_yes_is_yes(node: Node, answer: str) -> None:
    before = node.files()
    terminal = Terminal.running(argv(node))
    terminal.until("make these 2 repairs? [y/N] ")
    assert "+forward = 1" in terminal.text, "what is asked for was shown"
    terminal.type(answer)
    assert terminal.ended() == 1
    assert "nothing was changed" in terminal.text
    assert node.files() == before
    assert runs() == []


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_yes_makes_it(node: Node, answer: str) -> None:
    terminal = Terminal.running(argv(node))
    terminal.until("make these 2 repairs? [y/N] ")
    assert (node.folder / "a.conf").read_bytes() == BEFORE
    terminal.type(answer)
    assert terminal.ended() == 0, terminal.text
    assert (node.folder / "a.conf").read_bytes() == AFTER
    assert terminal.text.count("[y/N]") == 1, "once is enough"


def test_ctrl_c_at_the_question_changes_nothing(node: Node) -> None:
    before = node.files()
    terminal = Terminal.running(argv(node))
    terminal.until("[y/N] ")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert node.files() == before
    assert runs() == []


def test_what_has_changed_while_the_question_stood_is_shown_and_asked_for(node: Node) -> None:
    terminal = Terminal.running(argv(node, remedies="switch_on"))
    terminal.until("make this repair? [y/N] ")
    (node.folder / "a.conf").write_text("somebody else\n")
    terminal.type("y\n")
    terminal.until("the node is not as it was when the repair was planned")
    terminal.until("-somebody else")
    assert (node.folder / "a.conf").read_text() == "somebody else\n"
    assert terminal.text.count("[y/N]") < 3
    while terminal.text.count("[y/N]") < 2:
        assert terminal._read()
    terminal.type("n\n")
    assert terminal.ended() == 1
    assert (node.folder / "a.conf").read_text() == "somebody else\n"
    assert [run.closed for run in runs()] == [Closed.ROLLED_BACK]


def test_without_a_terminal_nothing_is_done(node: Node) -> None:
    before = node.files()
    done = without_terminal(node)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == (
        "netdoctor: nothing was changed: without a terminal nobody can be asked; --yes makes these 2 repairs"
    )
    assert "+forward = 1" in done.stdout
    assert node.files() == before
    assert runs() == []
    document = json.loads(without_terminal(node, "-o", "json").stdout)
    assert document["error"].startswith("nothing was changed: without a terminal")


def test_yes_stands_for_the_answer(node: Node) -> None:
    done = without_terminal(node, "--yes")
    assert done.returncode == 0, done.stderr
    assert (node.folder / "a.conf").read_bytes() == AFTER
    assert without_terminal(node).returncode == 0, "where nothing is to be repaired nobody has to be asked"


def test_json_on_a_terminal_shows_the_plan_before_it_asks(node: Node) -> None:
    terminal = Terminal.running(argv(node, "-o", "json"))
    terminal.until("[y/N] ")
    assert "+forward = 1" in terminal.text
    terminal.type("n\n")
    assert terminal.ended() == 1
    assert '"declined": true' in terminal.text


@pytest.mark.parametrize("name", ["switch-on", "forwarding-off"])
def test_one_repair_may_be_chosen(node: Node, name: str) -> None:
    done = without_terminal(node, "--yes", "--only", name)
    assert done.returncode == 1
    assert (node.folder / "a.conf").read_bytes() == AFTER
    assert not (node.folder / "sub").exists()
    assert "add-names was not chosen with --only" in done.stdout


def test_a_repair_of_an_unknown_name_is_bad_input(node: Node) -> None:
    done = without_terminal(node, "--yes", "--only", "switch-of")
    assert done.returncode == 2
    assert "--only switch-of: there is no repair or fault of this name" in done.stderr


def test_the_question_keeps_others_from_changing_the_node(node: Node) -> None:
    terminal = Terminal.running(argv(node))
    terminal.until("[y/N] ")
    assert f"another netdoctor (pid {terminal.pid}) is changing this host" in without_terminal(node, "--yes").stderr
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended() == 130
