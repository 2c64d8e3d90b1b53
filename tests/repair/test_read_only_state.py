"""A state folder on a read-only file system: looking goes on, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from netdoctor.repair.journal import state_folder
from netdoctor.repair.runs import runs
from tests.repair.folder_node import Node, node
from tests.terminal.test_consent import AFTER, fix, netdoctor, without_terminal

__all__ = ["node"]  # the fixture
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare, to mount a folder read-only"
    ),
]
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def on_read_only(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run it where the state folder, or the one that it would be made in, cannot be written."""
    folder = state_folder() if state_folder().exists() else state_folder().parent / "missing"
    folder.mkdir(exist_ok=True)
    state = folder if folder == state_folder() else folder / "netdoctor"
    argv = ["unshare", "-m", "sh", "-c", READ_ONLY, str(folder), *words]
    return without_terminal(argv, NETDOCTOR_STATE_DIR=str(state))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(params=["a repair is in force", "there is no folder yet"])
def state(request: pytest.FixtureRequest, node: Node) -> str:
    """What the state folder holds."""
    if request.param == "a repair is in force":
        assert without_terminal(fix(node, "--yes", "--only", "switch-on")).returncode in (0, 1)
    return str(request.param)


def test_check_needs_nothing_of_it(node: Node, state: str) -> None:
    done = on_read_only(netdoctor(node, "check"))
    assert (done.returncode, done.stderr) == (1, "")
    assert "names do not resolve" in done.stdout


def test_fix_refuses_in_one_sentence_before_it_changes_anything(node: Node, state: str) -> None:
    before, kept = node.files(), content(state_folder())
    done = on_read_only(fix(node, "--yes"))
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("netdoctor: /")
    assert "/lock cannot be made: Read-only file system; nothing was changed" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (node.files(), content(state_folder())) == (before, kept)


def test_a_dry_run_needs_nothing_of_it(node: Node, state: str) -> None:
    done = on_read_only(fix(node, "--dry-run"))
    assert done.returncode == 1, done.stderr
    assert "Nothing was changed. To make these changes: " in done.stdout


def test_the_list_of_runs_is_read(node: Node, state: str) -> None:
    done = on_read_only(netdoctor(node, "undo", "--list"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (runs()[0].run if state == "a repair is in force" else "no run") in done.stdout


def test_undo_refuses_in_one_sentence_where_there_is_something_to_undo(node: Node) -> None:
    assert without_terminal(fix(node, "--yes", "--only", "switch-on")).returncode in (0, 1)
    done = on_read_only(netdoctor(node, "undo"))
    assert done.returncode == 3
    assert "Read-only file system" in done.stderr
    assert done.stderr.count("\n") == 1
    assert (node.folder / "a.conf").read_bytes() == AFTER
