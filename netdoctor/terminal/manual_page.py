"""A manual page: rendered and paged on a terminal, and as it was written everywhere else."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.text import Text
from rich.theme import Theme

from netdoctor.output.console import console, shown_on

INLINE_CODE = re.compile("`([^`]+)`")


def show(page: str, related: Mapping[str, Sequence[str]]) -> None:
    """Show a page of Markdown, and below it the names that are related to it, by how."""
    parts = [f"{words}: {', '.join(names)}" for words, names in related.items() if names]
    if not sys.stdout.isatty():
        click.echo("\n\n".join([page.strip(), *parts]))
        return
    _page(on_terminal("\n\n".join([page.strip(), *parts]), console()))


def show_list(lines: Sequence[str]) -> None:
    """Show lines: on a terminal wrapped to its width, and paged where it has fewer."""
    if sys.stdout.isatty():
        _page(shown_on(console(), lines))
    else:
        click.echo("\n".join(lines))


def _page(text: str) -> None:
    """Write what a terminal shows, through a pager where it is longer than the screen."""
    if text.count("\n") < console().height or os.geteuid() == 0:  # a pager can read, write and start anything
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(text)


def on_terminal(page: str, target: Console) -> str:
    """The page as this console shows it: its first line is its title."""
    if target.no_color or target.color_system is None:
        page = _with_backticks(page)
    title, _, rest = page.partition("\n")
    with target.use_theme(Theme({"markdown.code": "cyan"})), target.capture() as shown:
        target.print(Text(title, style="bold"))
        target.print(_Page(rest.strip("\n"), hyperlinks=False))
    lines = [line.rstrip() for line in shown.get().splitlines()]
    return "\n".join(line for before, line in pairwise([title, *lines]) if line or before) + "\n"


def _with_backticks(page: str) -> str:
    """The page with backticks that stay: without colour nothing else tells code from text."""
    text_and_blocks = page.split("```")
    for number in range(0, len(text_and_blocks), 2):
        text_and_blocks[number] = INLINE_CODE.sub(r"`` `\1` ``", text_and_blocks[number])
    return "```".join(text_and_blocks)


class _Title(Heading):
    """A heading that begins at the left, without a frame."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("")
        yield Text(self.text.plain, style="bold cyan")


class _Code(CodeBlock):
    """Code without a background, indented."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in str(self.text).rstrip().splitlines():
            yield Text(f"    {line}", style="bold")


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements, "heading_open": _Title, "fence": _Code, "code_block": _Code,
    }  # fmt: skip
