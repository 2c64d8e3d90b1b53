"""`netdoctor undo --list`: which run, when, by whom, how it ended, and what of it is in force."""

from __future__ import annotations

import os
import re

import pytest

from netdoctor.repair.journal import load
from netdoctor.repair.runs import runs
from netdoctor.system.rights import ours
from tests.repair.folder_node import Node, node
from tests.schemas import valid
from tests.terminal.test_consent import fix, netdoctor, without_terminal

pytestmark = pytest.mark.thorough

__all__ = ["node"]  # the fixture


def on(node: Node, *arguments: str, **environment: str) -> str:
    done = without_terminal(netdoctor(node, *arguments), **environment)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_what_stands_in_it(node: Node) -> None:
    without_terminal(fix(node, "--yes"))
    text = on(node, "undo", "--list")
    head = rf"\d{{8}}T\d{{6}}Z-[0-9a-f]{{4}}  \S+Z  by {ours().name}  committed, 3 of 3 changes in force"
    assert re.fullmatch(head, text.splitlines()[0]), text
    assert sum(line.startswith("  verified: ") for line in text.splitlines()) == 3
    on(node, "undo")
    assert "  undone, 0 of 3 changes in force" in on(node, "undo", "--list")


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root is not behind sudo")
def test_who_called_sudo_is_named(node: Node) -> None:
    on(node, "fix", "--yes", "--without-rehearsal", SUDO_UID="54321", SUDO_GID="54321", SUDO_USER="somebody")
    listed = valid("runs", on(node, "undo", "--list", "-o", "json"))["runs"]
    assert [run["by"] for run in listed] == ["uid 54321"]
    assert [change["in_force"] for change in listed[0]["changes"]] == [True] * 3


def test_journals_of_before_name_nobody(node: Node) -> None:
    without_terminal(fix(node, "--yes"))
    path = runs()[0].path
    path.write_text(re.sub(r', "by": "[^"]*"', "", path.read_text()))
    assert load(path).by == ""
    assert "  by " not in on(node, "undo", "--list")


def test_a_hostile_name_forges_no_line(node: Node) -> None:
    without_terminal(fix(node, "--yes"))
    path = runs()[0].path
    path.write_text(re.sub(r'"by": "[^"]*"', r'"by": "\\u001b[31m\\nCAUSE"', path.read_text()))
    assert load(path).by == "\x1b[31m\nCAUSE"
    text = on(node, "undo", "--list")
    assert "\x1b" not in text
    assert not [line for line in text.splitlines() if line.startswith("CAUSE")]
