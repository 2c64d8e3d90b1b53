"""How text is laid out on a terminal: its width, its colours, and lines that go on indented."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from netdoctor.output.console import UNWRAPPED

LABEL = 9  # columns of a field's label with the space around it


def rendered(thing: RenderableType, width: int, colors: bool) -> str:
    """The thing as text, for a terminal of so many columns that is elsewhere."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colors, highlight=False, soft_wrap=False).print(thing, crop=False)
    return out.getvalue()


@dataclass(frozen=True)
class Indented:
    """Indents, and leaves no space at a line's end: rich's own Padding fills lines up to the right edge."""

    content: RenderableType
    by: int = 2
    first: bool = True  # whether the first line is indented too
    label: Text | None = None  # what stands in the first line's indentation
    whole: bool = False  # never wrapped: what is pasted has to stay one line
    at_most: int = 0  # lines; 0 for all

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Its lines, each as long as its text; what does not fit into `at_most` ends in three dots."""
        inner = options.update(width=UNWRAPPED if self.whole else max(1, options.max_width - self.by))
        lines = console.render_lines(self.content, inner, pad=False)
        shown = lines[: self.at_most] if self.at_most else lines
        for number, line in enumerate(shown):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                text, style, control = line.pop()
                text = text.rstrip()
                if number == len(shown) - 1 < len(lines) - 1:
                    text = f"{text[: max(0, inner.max_width - sum(s.cell_length for s in line) - 1)].rstrip(' ,;:')}…"
                yield from (*self._indentation(number, console), *line, Segment(text, style, control))
            yield Segment.line()

    def _indentation(self, number: int, console: Console) -> Iterable[Segment]:
        """What stands before the line of this number."""
        if number == 0 and self.label is not None:
            label = self.label.copy()
            label.pad_right(self.by - label.cell_len)
            return label.render(console)
        return [Segment(" " * self.by)] if number or self.first else []


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
