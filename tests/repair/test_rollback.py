"""Taking changes back: signals wait, and what cannot be undone keeps nothing else from it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from netdoctor.changes.file import WriteFile
from netdoctor.repair.journal import Closed, EntryState, load
from netdoctor.repair.rollback import undo
from netdoctor.repair.runs import runs
from netdoctor.system.host import Host
from tests.conftest import ROOT
from tests.repair.folder_node import Node, add_names, add_nothing_useful, node, switch_on

__all__ = ["node"]  # the fixture


def test_ctrl_c_does_not_stop_an_undo(node: Node) -> None:
    before = node.files()
    handler = signal.getsignal(signal.SIGTERM)

    def say(line: str) -> None:
        if line.startswith("undone: "):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        node.said.append(line)

    _, journal = node.repair(switch_on)
    assert not undo(journal.entries, journal, say).stuck
    assert any("cannot be interrupted" in line for line in node.said)
    assert node.files() == before
    assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
def test_no_signal_that_ends_a_run_stops_an_undo(node: Node, number: signal.Signals) -> None:
    """It comes when the first of several changes is taken back."""
    before = node.files()
    _, journal = node.repair(switch_on, add_names)
    assert len(journal.in_force) > 2

    def say(line: str) -> None:
        if line.startswith("undone: "):
            os.kill(os.getpid(), number)

    came: list[int] = []
    handler = signal.signal(number, lambda came_now, _: came.append(came_now))
    try:
        taken = undo(journal.entries, journal, say)
    finally:
        signal.signal(number, handler)
    assert (taken.interrupted, taken.stuck, came) == (True, "", [])
    assert node.files() == before


def test_undo_stops_where_somebody_else_has_a_hand_in_it(node: Node) -> None:
    _, journal = node.repair(switch_on, add_names)
    (node.folder / "a.conf").write_text("mine now\n")
    stuck = undo(journal.entries, journal, node.said.append).stuck
    assert "somebody has changed" in stuck
    assert not (node.folder / "sub").exists()
    assert (node.folder / "extra.conf").exists()
    assert [e.state for e in load(journal.path).entries] == [EntryState.VERIFIED, EntryState.UNDOING, EntryState.UNDONE]
    undo(journal.in_force, journal, node.said.append, force=True)
    assert not (node.folder / "extra.conf").exists()
    assert (node.folder / "a.conf").read_text() == "mine now\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_during_a_roll_back_ends_the_repair_after_it(node: Node, number: signal.Signals) -> None:
    def say(line: str) -> None:
        node.said.append(line)
        if line.startswith("undone: "):
            os.kill(os.getpid(), number)

    before = signal.signal(number, signal.default_int_handler)  # whoever runs the tests may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            node.repair(add_nothing_useful, add_names, say=say)
    finally:
        signal.signal(number, before)
    assert not (node.folder / "sub").exists()
    assert [entry.step for entry in runs()[0].entries] == ["add-names"]
    assert [run.closed for run in runs()] == [Closed.ROLLED_BACK]


FULL_PIPE = """
import os, signal, sys
from pathlib import Path
from netdoctor.cli import undo as command
from netdoctor.repair.journal import load
from tests.repair import folder_node as module
sys.exit(command._undo(load(Path(sys.argv[1])), False, "text"))
"""
F_SETPIPE_SZ = 1031


def test_a_signal_while_nobody_reads_the_output(node: Node) -> None:
    before = node.files()
    _, journal = node.repair(switch_on, add_names)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * 4096)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", FULL_PIPE, str(journal.path)], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT,
        env=environment,
    ) as process:  # fmt: skip
        os.close(writing)
        wait_in_pipe_write(process.pid)
        process.send_signal(signal.SIGTERM)
        threading.Thread(target=drain, args=(reading,), daemon=True).start()
        assert process.wait(30) == 0, process.stderr.read() if process.stderr else ""
    assert node.files() == before
    assert load(journal.path).closed is Closed.UNDONE


def wait_in_pipe_write(pid: int) -> None:
    """Until the process hangs in writing to a full pipe."""
    end = threading.Event()
    for _ in range(3000):
        if "pipe" in Path(f"/proc/{pid}/wchan").read_text():
            return
        end.wait(0.01)
    pytest.fail("it never wrote to the pipe")


def drain(descriptor: int) -> None:
    while os.read(descriptor, 65536):
        pass


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("not foreseen")])
def test_what_only_failed_is_not_given_up(
    node: Node, monkeypatch: pytest.MonkeyPatch, error: Exception, force: bool
) -> None:
    _, journal = node.repair(switch_on, add_names)
    original = WriteFile.undo

    def fails(change: WriteFile, host: Host) -> None:
        if change.path == str(node.folder / "a.conf"):
            raise error
        original(change, host)

    with monkeypatch.context() as patch:
        patch.setattr(WriteFile, "undo", fails)
        taken = undo(journal.entries, journal, node.said.append, force=force)
    assert [entry.change.describe() for entry in taken.failed] == [f"change {node.folder}/a.conf"]
    assert taken.drifted == []
    assert taken.failed[0].state is EntryState.UNDOING
    assert (node.folder / "extra.conf").exists() is not force
