"""How text is laid out on a terminal: its width, its colours, and fields with their labels."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType
from rich.text import Text

from netdoctor.output.indented import Indented

LABEL = 9  # columns of a field's label with the space around it


def rendered(thing: RenderableType, width: int, colors: bool) -> str:
    """The thing as text, for a terminal of so many columns that is elsewhere."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colors, highlight=False, soft_wrap=False).print(thing, crop=False)
    return out.getvalue()


def hanging(content: RenderableType, by: int = 2, at_most: int = 0) -> Indented:
    """A text that goes on indented: what somebody else wrote begins no line, wherever it is broken."""
    return Indented(content, by, first=False, at_most=at_most)


def labelled(label: Text, text: str | Text, by: int, at_most: int = 0) -> Indented:
    """A text beside its label, which takes the first `by` columns."""
    return Indented(text if isinstance(text, Text) else Text(text), by, label=label, at_most=at_most)


def field(label: str, text: str | Text, at_most: int = 0) -> Indented:
    """A line that begins with its label, as in `  found  ...`."""
    return labelled(Text(f"  {label}", "dim"), text, LABEL, at_most)


def command_field(label: str, command: str, before: str = "", after: str = "") -> Indented:
    """A command to paste, on one line however narrow the terminal is, with words around it."""
    text = Text.assemble(before, (command, "cyan"), after)
    return Indented(text, LABEL, label=Text(f"  {label}", "dim"), whole=True)
