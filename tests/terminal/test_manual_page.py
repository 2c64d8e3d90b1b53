"""`netdoctor explain`: rendered on a terminal, paged where it is longer than the screen, and plain in a pipe."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import click
import pytest
from rich.console import Console

from netdoctor.terminal.manual_page import on_terminal, show, show_list
from tests.conftest import ROOT
from tests.terminal.on_terminal import Terminal
from tests.worlds import catalogue

PAGES = {name: page.manual for name, page in catalogue().probes.items()}
PAGES |= {name: page.manual for name, page in catalogue().remedies.items()}
COLORS = re.compile(r"\x1b\[[\d;]*m")
EXPLAIN = [sys.executable, "-c", "from netdoctor.cli import main; main()", "explain"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_page_fits_and_shows_no_markdown(width: int) -> None:
    for name, page in PAGES.items():
        colored = Console(width=width, force_terminal=True, color_system="standard", no_color=False)
        text = COLORS.sub("", on_terminal(page, colored))
        assert text.startswith(page.strip()[:20])
        assert "## " not in text, name
        assert "`" not in text, name
        assert "\n\n\n" not in text, name
        assert max(map(len, text.splitlines())) <= width, name


@pytest.mark.parametrize("without", [{"color_system": None}, {"color_system": "standard", "no_color": True}])
def test_without_colour_code_keeps_its_backticks(without: dict[str, Any]) -> None:
    page = "A title.\n\n## By hand\n`ip link`, and `ip\nroute`\n\n```\na `command`\n```\n"
    text = COLORS.sub("", on_terminal(page, Console(width=80, force_terminal=True, **without)))
    assert "`ip link`, and `ip route`" in text
    assert "    a `command`" in text


def test_headings_and_code_are_told_apart() -> None:
    page = "A title.\n\n## By hand\n`ip link`\n\n    a command\n"
    text = on_terminal(page, Console(width=80, force_terminal=True, color_system="standard"))
    assert "\x1b[1mA title." in text
    assert "\x1b[1;36mBy hand" in text
    assert "\x1b[36mip link" in text
    assert "\x1b[1m    a command" in text


def test_a_pipe_gets_it_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    show("A title.\n\n## By hand\n`ip link`\n", {"explains": ["a", "b"], "requires": []})
    assert capsys.readouterr().out == "A title.\n\n## By hand\n`ip link`\n\nexplains: a, b\n"


@pytest.mark.parametrize(("lines", "paged"), [(3, False), (200, True)])
def test_only_what_is_longer_than_the_screen_is_paged(
    lines: int, paged: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[str] = []
    monkeypatch.setattr(click, "echo_via_pager", given.append)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # root starts no pager
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_list([f"line {number}" for number in range(lines)])
    written = capsys.readouterr().out + "".join(given)
    assert (written.count("line "), bool(given)) == (lines, paged)


@pytest.mark.thorough
def test_on_a_real_terminal() -> None:
    terminal = Terminal.running([*EXPLAIN, "ip-forward-disabled"], str(ROOT))
    assert terminal.ended() == 0
    assert "By hand" in terminal.text
    assert "## By hand" not in terminal.text
