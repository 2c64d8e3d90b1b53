"""Where lines go: to a terminal, in colour and wrapped to its width, or to a pipe, as they are.

Texts are lists of plain lines. Their first word or sign says what they are, and that gives them their colour here.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

import click
from rich.console import Console
from rich.text import Text

from netdoctor.output.indented import UNWRAPPED, Indented
from netdoctor.redact import one_line

HANG = 2  # columns by which a line that goes on is indented further
WIDEST_LABEL = 12  # a line goes on below its text where the label before it is not longer
WORDS = {
    "CAUSE": "bold red", "UNEXPLAINED": "bold red", "REFUSED": "bold red", "NOT REHEARSED": "bold red",
    "CLOSED": "bold red", "ROLLED BACK": "bold red", "WARNING": "bold yellow", "COULD NOT TELL": "bold yellow",
    "CANNOT CHECK": "bold yellow", "NOT VERIFIED": "bold yellow", "HEALTHY": "bold green", "OPEN": "bold green",
}  # fmt: skip
SIGNS = {"✓": "green", "✗": "red", "?": "yellow", "!": "yellow", "–": "dim"}
EDITS = {"+": "green", "-": "red", "~": "yellow"}
START = re.compile(rf" *(?:gate: )?({'|'.join(WORDS)})\b(?! [a-z]+:)")
LABEL = re.compile(r" *(?:\S+|[A-Z][A-Z ]*?) {2,}(?=\S)")
SIGN = re.compile(r" *(\S) ")
TYPED = re.compile(r" +(?:fix +)?(?:sudo (?!netdoctor)|sudoedit |kubectl |systemctl )")
COMMAND = re.compile(r"\b(?:sudo )?netdoctor [a-z]+(?: --?[a-z][a-z-]*| [A-Z]+\b)*")
NAME = re.compile(r"\(([a-z0-9]+(?:-[a-z0-9]+)+)\)")


def console(stderr: bool = False) -> Console:
    """A console that knows whether it writes to a terminal. NO_COLOR, FORCE_COLOR and TERM are rich's own business."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _columns(), highlight=False, soft_wrap=False)


def _columns() -> int:
    """The width of what is not a terminal: COLUMNS where it is set."""
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() and int(told) else UNWRAPPED


def print_lines(lines: Iterable[str], *, stderr: bool = False) -> None:
    """Write lines, each redacted, with the colour of its sign or first word, and hanging where it is wrapped.

    Raises OSError. Rich would end the process where a pipe is broken, also in the middle of a repair.
    """
    target = console(stderr=stderr)
    click.echo(shown_on(target, lines), nl=False, err=stderr, color=target.color_system is not None)


def shown_on(target: Console, lines: Iterable[str]) -> str:
    """The lines as this console shows them."""
    with target.capture() as shown:
        for line in lines:
            shown_line = one_line(line)
            if TYPED.match(shown_line):  # somebody copies it: the terminal itself wraps it
                target.print(colored(shown_line), soft_wrap=True)
            else:
                target.print(hanging_line(shown_line))
    return shown.get()


def hanging_line(line: str) -> Indented:
    """One line; where it is wrapped it goes on indented, so that what somebody else wrote begins no line."""
    text = colored(line)
    begin = _hang(line, len(line) - len(line.lstrip(" ")))
    if not line[begin:].strip():
        return Indented(text, 0)
    head = text[:begin]
    return Indented(text[begin:], head.cell_len, label=head)


def colored(line: str) -> Text:
    """The line with its colours: an edit as a whole, else its sign or first word, commands and names."""
    sign = SIGN.match(line)
    stripped = line.lstrip(" ")
    if stripped[:1] in EDITS:
        return Text(line, style=EDITS[stripped[0]])
    text = Text(line)
    if sign and sign[1] in SIGNS:
        text.stylize(SIGNS[sign[1]], *sign.span(1))
    if word := START.match(line):
        text.stylize(WORDS[word[1]], *word.span(1))
    for command in COMMAND.finditer(line):
        text.stylize("bold", *command.span())
    for name in NAME.finditer(line):
        text.stylize("cyan", *name.span(1))
    return text


def _hang(line: str, indent: int) -> int:
    """The columns by which a line is indented where it goes on: below its text where a short label stands before."""
    label = LABEL.match(line)
    if label and label.end() - indent <= WIDEST_LABEL:
        return label.end()
    return indent + HANG
