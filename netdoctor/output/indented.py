"""Text that is indented where it is wrapped: the one way in which a line goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

UNWRAPPED = 1 << 16  # columns: nothing is wrapped for a pipe, where grep and less want whole lines


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
