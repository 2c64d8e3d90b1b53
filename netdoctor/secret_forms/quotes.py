"""Quotes, in every spelling, and where a quoted value ends."""

from __future__ import annotations

import re

QUOTE = r"(?:\\*[\"'`]|&(?:quot|apos|#0?34|#0?39|#x22|#x27);|%22|%27)"
PIECE = re.compile(r"[^\s\"'`,;)}\]]+")
OPEN = re.compile(rf"(?:[bBrRfFuU]{{1,2}}|\$)?(?P<quote>{QUOTE})")
JOINED = re.compile(r"[^\s\"'`,;)}\]<]*(?P<quote>[\"'])")  # goes on after a quote, up to the next one


def end_of_line(text: str, start: int) -> int:
    """Where the line that this place is in ends."""
    end = text.find("\n", start)
    return end if end >= 0 else len(text)


class Quotes:
    """Where quoted values end; each quote is looked for once, so that unclosed ones cost no more."""

    FARTHEST = 4096  # a quote that closes in another line, farther away, belongs to something else

    def __init__(self, text: str) -> None:
        """The text that they stand in."""
        self._text = text
        self._next: dict[str, int] = {}

    def end_of(self, start: int) -> tuple[int, int] | None:
        """The span of the quoted value that opens here, with what is joined to it; None where no quote opens."""
        opening = OPEN.match(self._text, start)
        if opening is None:
            return None
        begin, at = opening.end(), start
        while opening:
            close = self._close(opening["quote"], opening.end())
            line = end_of_line(self._text, opening.end())
            if close < 0 or (close > line and close - start > self.FARTHEST):
                return begin, line
            at = close + len(opening["quote"])
            opening = OPEN.match(self._text, at)
            if opening is None and at < len(self._text) and (self._text[at].isalnum() or self._text[at] in "\\$"):
                if opening := JOINED.match(self._text, at):
                    continue
                rest = PIECE.match(self._text, at)
                return begin, rest.end() if rest else at
        return begin, close

    def _close(self, quote: str, start: int) -> int:
        known = self._next.get(quote)
        if known is not None and (known < 0 or known >= start):
            return known
        at = self._text.find(quote, start)
        while at >= 0 and self._escaped(at, start):
            at = self._text.find(quote, at + 1)
        self._next[quote] = at
        return at

    def _escaped(self, at: int, start: int) -> bool:
        count = 0
        while at - count - 1 >= start and count < 64 and self._text[at - count - 1] == "\\":
            count += 1
        return count % 2 == 1
