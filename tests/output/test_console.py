"""Lines on a terminal and in a pipe: their width, where they go on, and their colours."""

from __future__ import annotations

import pytest
from rich.console import Console

from netdoctor.output.console import colored, print_lines, shown_on
from tests.cli.test_forged_lines import PLANTED, assert_not_forged

LONG = "  ✗ " + "word " * 60 + "end"


def on_terminal(line: str, width: int) -> list[str]:
    return shown_on(Console(width=width, color_system=None), [line]).splitlines()


def styles(line: str) -> dict[str, str]:
    """Each part of a line that has a style of its own."""
    text = colored(line)
    return {line[span.start : span.end]: str(span.style) for span in text.spans} | (
        {"": str(text.style)} if text.style else {}
    )


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_is_wrapped_for_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines([LONG, "", "x"])
    assert capsys.readouterr().out.splitlines() == [LONG, "", "x"]


def test_columns_are_obeyed_in_a_pipe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_lines([LONG], stderr=True)
    found = capsys.readouterr().err.splitlines()
    assert len(found) > 5
    assert max(map(len, found)) <= 40


@pytest.mark.parametrize(("forced", "refused", "colours"), [("", "", False), ("1", "", True), ("1", "1", False)])
def test_colours_are_forced_and_refused(
    forced: str, refused: str, colours: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in (("FORCE_COLOR", forced), ("NO_COLOR", refused)):
        if value:
            monkeypatch.setenv(name, value)
    print_lines(["    + a = 1"])
    assert ("\x1b[32m" in capsys.readouterr().out) == colours


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        (LONG, "    word"), ("CAUSE  " + "word " * 40, "       word"), ("  undo   " + "word " * 40, "         word"),
        ("    + " + "word " * 40, "      word"), ("plain " * 40, "  plain"),
        ("COULD NOT TELL  " + "word " * 40, "  word"),
    ],
)  # fmt: skip
def test_a_line_goes_on_below_its_text(line: str, begins: str) -> None:
    first, *rest = on_terminal(line, 60)
    assert line.startswith(first)
    assert rest
    assert all(each.startswith(begins) for each in rest)
    assert " ".join([first, *(each.strip() for each in rest)]) == line.rstrip()


@pytest.mark.parametrize("width", [20, 60, 73, 80, 110])
@pytest.mark.parametrize("begin", ["CAUSE  ", "  ✗ ", "    + ", "undone: "])
def test_what_somebody_else_wrote_begins_no_line(begin: str, width: int) -> None:
    assert_not_forged("\n".join(on_terminal(begin + PLANTED, width)))


def test_a_sign_a_word_a_command_and_a_name_have_colours() -> None:
    assert styles("  ✓ made") == {"✓": "green"}
    assert styles("    - ipv4 filter OUTPUT") == {"": "red"}
    assert styles("    ~ pod a") == {"": "yellow"}
    assert styles("HEALTHY  36 checks pass") == {"HEALTHY": "bold green"}
    assert styles("gate: CLOSED") == {"CLOSED": "bold red"}
    assert styles("CAUSE  a is b (ip-forward-disabled)") == {"CAUSE": "bold red", "ip-forward-disabled": "cyan"}
    assert styles("  fix    sudo netdoctor fix --dry-run") == {"sudo netdoctor fix --dry-run": "bold"}
    assert styles("HEALTHYX or CAUSES") == {}


@pytest.mark.parametrize("width", [14, 20, 30])
@pytest.mark.parametrize("begin", ["CAUSE  ", "  undo   ", "    + ", "plain "])
def test_no_letter_is_lost_on_a_narrow_terminal(begin: str, width: int) -> None:
    line = begin + " ".join(f"word{number}" for number in range(20)) + " " + "x" * 50
    found = on_terminal(line, width)
    assert max(map(len, found)) <= width
    assert "".join("".join(found).split()) == "".join(line.split())
