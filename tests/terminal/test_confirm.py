"""`fix --confirm`: what nobody keeps is undone in time, whatever has become of netdoctor and of the session."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netdoctor.errors import JournalError
from netdoctor.repair.confirm_timer import Timer
from netdoctor.repair.confirmation import Pending, pending, timer_runs
from netdoctor.repair.journal import Closed, load, state_folder
from netdoctor.repair.runs import holder_of, locked, runs, unfinished_notice
from tests.conftest import ROOT
from tests.repair.folder_node import BEFORE, Node, node
from tests.terminal.on_terminal import LONGEST
from tests.terminal.test_consent import AFTER, fix, netdoctor, on_terminal, without_terminal

pytestmark = pytest.mark.thorough

__all__ = ["node"]  # the fixture
SECONDS = 5  # the shortest that may be asked for
UNDOING = 15.0  # seconds for an undo that takes one or two on a quiet machine
KILLED_BEFORE_ITS_FIRST_CHANGE = (
    "from netdoctor.repair import confirmation, journal, runs; "
    "confirmation.arm(journal.begin(runs.next_number()).run, 600)"
)
KEEP = "Keep it? Press ENTER within 5 s, else it is undone."


def confirm(node: Node) -> subprocess.CompletedProcess[str]:
    return without_terminal(netdoctor(node, "confirm"))


def until(holds: Callable[[], bool], what: str) -> float:
    """Wait for it; the seconds that it took."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() < begin + LONGEST, what
        time.sleep(0.05)
    return time.monotonic() - begin


def a_conf(node: Node) -> bytes:
    return (node.folder / "a.conf").read_bytes()


@pytest.fixture
def waiting(node: Node) -> Node:
    """A node whose repair waits to be confirmed, without a terminal."""
    done = without_terminal(fix(node, "--yes", "--confirm", "600"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "it is undone in 600 s, unless: sudo netdoctor confirm"
    assert a_conf(node) == AFTER
    return node


def test_enter_keeps_it(node: Node) -> None:
    terminal = on_terminal(fix(node, "--yes", "--confirm", str(SECONDS)))
    terminal.until(KEEP)
    terminal.type("\n")
    assert terminal.ended() == 0
    assert f"run {runs()[0].run} is kept" in terminal.text
    until(lambda: not timer_runs(), "the timer ends by itself")
    assert a_conf(node) == AFTER
    assert [run.closed for run in runs()] == [Closed.COMMITTED]


def documents(text: str) -> list[dict[str, Any]]:
    """The JSON documents between the lines that a terminal shows."""
    found = re.findall(r"^\{$.*?^\}$", text.replace("\r\n", "\n"), re.MULTILINE | re.DOTALL)
    return [json.loads(each) for each in found]


@pytest.mark.parametrize(("key", "state", "healthy"), [("\n", "kept", True), ("n\n", "undone", False)])
def test_the_document_comes_after_the_answer(node: Node, key: str, state: str, healthy: bool) -> None:
    terminal = on_terminal(fix(node, "--yes", "--confirm", "600", "--output", "json"))
    terminal.until("Keep it? Press ENTER within 600 s")
    assert documents(terminal.text) == []
    terminal.type(key)
    assert terminal.ended() == (0 if healthy else 1)
    (document,) = documents(terminal.text)
    assert document["confirmation"] == {"seconds": 600, "state": state, "keep": None}
    assert document["healthy"] is healthy
    assert document["run"] == runs()[0].run


def test_the_document_of_who_stops_waiting_says_that_it_is_pending(node: Node, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = shlex.join(fix(node, "--yes", "--confirm", "600", "--output", "json"))
    terminal = on_terminal(["sh", "-c", f"{words} >{out}"])
    terminal.until("Keep it? Press ENTER within 600 s")
    terminal.type("\x03")
    terminal.ended()
    document = json.loads(out.read_text())
    assert document["confirmation"] == {"seconds": 600, "state": "pending", "keep": "sudo netdoctor confirm"}
    assert confirm(node).returncode == 0


def test_the_document_in_a_pipe_says_that_it_is_pending(node: Node) -> None:
    done = without_terminal(fix(node, "--yes", "--confirm", "600", "--output", "json"))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["confirmation"] == {"seconds": 600, "state": "pending", "keep": "sudo netdoctor confirm"}
    assert document["healthy"] is True
    assert confirm(node).returncode == 0


def test_the_document_without_anything_to_confirm_says_nothing_of_it(node: Node) -> None:
    for options in (("--yes",), ("--yes", "--confirm", "600")):  # the second time nothing is left to repair
        done = without_terminal(fix(node, *options, "--output", "json"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["confirmation"] is None


def test_without_an_answer_it_is_undone(node: Node) -> None:
    before = node.files()
    terminal = on_terminal(fix(node, "--yes", "--confirm", str(SECONDS)))
    terminal.until(KEEP)
    assert a_conf(node) == AFTER
    assert terminal.ended() == 1
    assert f"run {runs()[0].run} was not confirmed, and is undone" in terminal.text
    assert node.files() == before
    assert [run.closed for run in runs()] == [Closed.NOT_CONFIRMED]
    assert "nothing waits to be confirmed; run" in confirm(node).stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_timer_outlives_netdoctor_and_the_session(node: Node, number: signal.Signals) -> None:
    before = node.files()
    terminal = on_terminal(fix(node, "--yes", "--confirm", str(SECONDS)))
    terminal.until(KEEP)
    os.killpg(terminal.pid, number)
    terminal.ended()  # and the terminal is closed
    took = until(lambda: a_conf(node) == BEFORE, "it is undone")
    assert took <= SECONDS + UNDOING
    until(lambda: pending() is None, "nothing waits any more")
    assert node.files() == before


def test_a_repair_that_is_killed_halfway_is_undone(node: Node) -> None:
    before = node.files()
    words = fix(node, "--yes", "--confirm", str(SECONDS), remedies="switch_on,stop_here")
    running = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((node.folder / "stopped").exists, "the second step has begun")
    running.kill()
    running.wait()
    assert a_conf(node) == AFTER
    assert until(lambda: a_conf(node) == BEFORE, "it is undone") <= SECONDS + UNDOING
    until(lambda: pending() is None, "nothing waits any more")
    (node.folder / "stopped").unlink()
    assert node.files() == before


def test_ctrl_c_at_the_question_leaves_it_to_the_timer(node: Node) -> None:
    terminal = on_terminal(fix(node, "--yes", "--confirm", "600"))
    terminal.until("Keep it? Press ENTER within 600 s")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert "it will be undone, unless: sudo netdoctor confirm" in terminal.text
    assert timer_runs()
    assert confirm(node).returncode == 0


def test_no_undoes_it_at_once(node: Node) -> None:
    terminal = on_terminal(fix(node, "--yes", "--confirm", "600"))
    terminal.until("Keep it? Press ENTER within 600 s")
    terminal.type("what?\n")
    terminal.until("Keep it? Press ENTER within 600 s")
    terminal.type("n\n")
    assert terminal.ended() == 1
    assert f"run {runs()[0].run} was not confirmed, and is undone" in terminal.text
    assert a_conf(node) == BEFORE


def test_what_was_typed_before_the_questions_answers_none(node: Node) -> None:
    terminal = on_terminal(fix(node, "--confirm", "600", remedies="switch_on"))
    terminal.type("y\n\n")
    terminal.until("Make this repair? [y/N] ")
    time.sleep(1)
    assert a_conf(node) == BEFORE
    terminal.type("y\n\n")  # the second ENTER comes before the second question
    terminal.until("Keep it? Press ENTER within 600 s")
    time.sleep(1)
    assert pending() is not None
    terminal.type("n\n")
    terminal.ended()
    assert a_conf(node) == BEFORE


def test_enter_counts_while_somebody_holds_the_lock_for_a_moment(node: Node) -> None:
    terminal = on_terminal(fix(node, "--yes", "--confirm", "600"))
    terminal.until("Keep it? Press ENTER within 600 s")
    with locked():
        terminal.type("\n")
        time.sleep(1)
    assert terminal.ended() == 0
    assert f"run {runs()[0].run} is kept" in terminal.text


def test_a_question_about_what_is_left_does_not_keep_the_timer_waiting(node: Node) -> None:
    remedies = "switch_on,add_nothing_useful,open_the_door"
    terminal = on_terminal(fix(node, "--confirm", str(SECONDS), remedies=remedies))
    terminal.until("Make these 2 repairs? [y/N] ")
    terminal.type("y\n")
    terminal.until("the node is not as it was when the repair was planned")
    terminal.until("no answer in time")
    terminal.ended()
    until(lambda: a_conf(node) == BEFORE, "it is undone")


@pytest.mark.parametrize("damage", ["confirm.json", "the folder", "its journal", "somebody else's edit", "SIGTERM"])
def test_the_timer_gives_up_for_nothing(node: Node, damage: str) -> None:
    done = without_terminal(fix(node, "--yes", "--confirm", str(SECONDS)))
    assert done.returncode == 0, done.stderr
    file, journal = state_folder() / "confirm.json", runs()[0].path
    left, text = file.read_text(), journal.read_text()
    if damage == "confirm.json":
        file.write_text("{")
    elif damage == "the folder":
        state_folder().chmod(0o777)
        time.sleep(SECONDS + 1)
        state_folder().chmod(0o700)
    elif damage == "its journal":
        journal.write_text(text + "garbage\n")
        time.sleep(SECONDS + 1)
        assert a_conf(node) == AFTER
        journal.write_text(text)
    elif damage == "somebody else's edit":
        (node.folder / "extra.conf").write_text("theirs\n")
    else:
        file.write_text(left.replace(f'"seconds": {SECONDS}', '"seconds": 600'))
        os.kill(timer_pid(), signal.SIGTERM)
    until(lambda: a_conf(node) == BEFORE, "it is undone")
    until(lambda: not timer_runs(), "the timer ends by itself")
    file.unlink(missing_ok=True)
    assert runs()[0].closed is Closed.NOT_CONFIRMED
    if damage == "somebody else's edit":
        assert (node.folder / "extra.conf").read_text() == "theirs\n"


def timer_pid() -> int:
    """The process that holds the lock of a timer."""
    pid = holder_of(state_folder() / "confirm.timer")
    assert pid
    return pid


def test_a_netdoctor_that_was_stopped_is_ended(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    words = fix(node, "--yes", "--confirm", str(SECONDS), remedies="switch_on,stop_here")
    running = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until((node.folder / "stopped").exists, "the second step has begun")
    os.kill(timer_pid(), signal.SIGKILL)  # a timer with less patience takes its place
    running.send_signal(signal.SIGSTOP)
    monkeypatch.setattr("netdoctor.repair.confirm_timer.STOPPED", 1.0)
    Timer(runs()[0].run).wait()
    assert running.wait() == -signal.SIGKILL
    assert a_conf(node) == BEFORE
    assert pending() is None


def test_ctrl_z_does_not_stop_a_repair(node: Node) -> None:
    terminal = on_terminal(fix(node, remedies="switch_on"))
    terminal.until("Make this repair? [y/N] ")
    terminal.type("\x1a")
    time.sleep(0.5)
    terminal.type("y\n")
    terminal.ended()
    assert a_conf(node) == AFTER


@pytest.mark.parametrize("where", ["a file", "closed"])
def test_who_is_asked_sees_the_plan(node: Node, tmp_path: Path, where: str) -> None:
    out = f">{tmp_path / 'out'}" if where == "a file" else ">&-"
    terminal = on_terminal(["sh", "-c", f"{shlex.join(fix(node))} {out}"])
    terminal.until("+ forward = 1")
    terminal.until("Make these 2 repairs? [y/N] ")
    terminal.type("n\n")
    terminal.ended()


def test_undo_takes_the_run_that_waits_and_no_older_one(node: Node) -> None:
    assert without_terminal(fix(node, "--yes", "--only", "switch-on")).returncode in (0, 1)
    older = runs()[0]
    done = without_terminal([sys.executable, "-c", KILLED_BEFORE_ITS_FIRST_CHANGE])
    assert done.returncode == 0, done.stderr
    done = without_terminal(netdoctor(node, "undo"))
    assert (done.returncode, done.stdout) == (0, f"run {runs()[0].run} is undone: nothing of it was in force\n")
    assert pending() is None
    assert load(older.path).closed is Closed.COMMITTED
    until(lambda: not timer_runs(), "the timer ends by itself")


def test_an_undo_that_is_refused_leaves_the_timer(waiting: Node) -> None:
    (waiting.folder / "a.conf").write_text("theirs\n")
    assert without_terminal(netdoctor(waiting, "undo")).returncode == 3
    assert pending() is not None
    assert timer_runs(runs()[0].run)
    confirm(waiting)


def test_an_undo_meanwhile_is_not_called_kept(node: Node) -> None:
    terminal = on_terminal(fix(node, "--yes", "--confirm", "600"))
    terminal.until("Keep it? Press ENTER within 600 s")
    assert without_terminal(netdoctor(node, "undo")).returncode == 0
    assert terminal.ended() == 1
    assert " is not kept; what of it is in force: sudo netdoctor undo --list" in terminal.words
    assert a_conf(node) == BEFORE


def test_confirm_keeps_it(waiting: Node) -> None:
    assert timer_runs()
    done = confirm(waiting)
    assert (done.returncode, done.stdout) == (0, f"run {runs()[0].run} is kept; undo it: sudo netdoctor undo\n")
    until(lambda: not timer_runs(), "the timer ends by itself")
    assert a_conf(waiting) == AFTER
    again = confirm(waiting)
    assert (again.returncode, again.stderr) == (3, "netdoctor: nothing waits to be confirmed\n")


def test_what_waits_is_said_and_keeps_the_next_repair_waiting(waiting: Node) -> None:
    told = unfinished_notice()
    assert len(told) == 1
    assert f"run {runs()[0].run} waits to be confirmed, and is undone in " in told[0]
    done = without_terminal(fix(waiting, "--yes"))
    assert done.returncode == 3
    assert "`netdoctor confirm` keeps it, `netdoctor undo` undoes it now" in done.stderr
    confirm(waiting)


def test_undo_does_not_wait_for_the_timer(waiting: Node) -> None:
    done = without_terminal(netdoctor(waiting, "undo"))
    assert done.returncode == 0, done.stderr
    assert a_conf(waiting) == BEFORE
    assert pending() is None
    until(lambda: not timer_runs(), "the timer ends by itself")
    assert [run.closed for run in runs()] == [Closed.UNDONE]


def test_a_timer_that_is_gone_is_said(waiting: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    path = state_folder() / "confirm.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "boot": "another", "seconds": 1}))
    found = pending()
    assert found is not None
    assert found.left == 0, "the time counts from another boot"
    until(lambda: a_conf(waiting) == BEFORE, "a timer that is there undoes it at once")
    until(lambda: not timer_runs(), "the timer ends by itself")
    path.write_text(json.dumps(fields))
    assert "was never confirmed, and its timer is gone" in unfinished_notice()[0]


def test_where_no_timer_can_be_started_nothing_is_changed(node: Node, tmp_path: Path) -> None:
    before = node.files()
    state_folder().mkdir()
    (state_folder() / "confirm.timer").mkdir()
    done = without_terminal(fix(node, "--yes", "--confirm", "600"))
    assert done.returncode == 3
    assert "nothing was changed: the timer did not start" in done.stderr
    assert node.files() == before
    assert pending() is None


def test_all_rolled_back_waits_for_nothing(node: Node) -> None:
    done = without_terminal(fix(node, "--yes", "--confirm", "600", remedies="add_nothing_useful"))
    assert done.returncode == 1
    assert "unless: sudo netdoctor confirm" not in done.stderr
    assert pending() is None
    until(lambda: not timer_runs(), "the timer ends by itself")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"x"', "1", "[" * 4000, '{"run": 1, "seconds": 5, "deadline": 1.0, "boot": ""}',
     '{"run": "x", "seconds": 5, "deadline": "soon", "boot": ""}',
     '{"run": "x", "seconds": 5, "deadline": 1.0, "boot": "", "schema_version": 2}'],
)  # fmt: skip
def test_a_damaged_file_is_one_sentence(node: Node, text: str) -> None:
    state_folder().mkdir(mode=0o700)
    (state_folder() / "confirm.json").write_text(text)
    with pytest.raises(JournalError, match="is damaged: delete it, and `netdoctor undo` undoes the run"):
        pending()
    for arguments in (["--yes"], ["--yes", "--confirm", "60"]):
        done = without_terminal(fix(node, *arguments))
        assert done.returncode == 3
        assert "is damaged" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_time_is_counted_from_this_boot() -> None:
    assert Pending("x", 5, time.clock_gettime(time.CLOCK_BOOTTIME) + 5, "another boot").left == 0


@pytest.mark.parametrize("seconds", ["4", "3601", "soon", "-1"])
def test_the_limits_of_the_time(node: Node, seconds: str) -> None:
    done = without_terminal(fix(node, "--yes", "--confirm", seconds))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
