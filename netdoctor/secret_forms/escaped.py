"""Names of secrets whose letters are escaped or full-width: `pass%77ord=`, `p\\x61ssword`, `token\\u003a`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from netdoctor.secret_forms import forms, named, prefixes, sentences

Span = tuple[int, int]

HEX = "3[0-9adAD]|[46][1-9a-fA-F]|5[0-9aAfF]|7[0-9aA]"
# what stands for a letter, a digit, or the sign between a name and its value
ESCAPE = re.compile(
    rf"(?:%(?:25){{0,4}}|\\{{1,4}}(?:u00|x))(?P<hex>{HEX})|&#[xX]0{{0,4}}(?P<entity>{HEX});"
    r"|&#0{0,4}(?P<decimal>4[89]|5[0-8]|61|6[5-9]|[78]\d|90|95|9[7-9]|1[01]\d|12[0-2]);"
)
WIDE = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF5B)}  # full-width letters, as what they look like
SEARCHES = (named.spans, sentences.spans, forms.spans, prefixes.spans)


def spans(text: str) -> Iterator[Span]:
    """Where secrets stand in a text once its escaped letters are read."""
    plain = text if text.isascii() else text.translate(WIDE)
    parts: list[str] = []
    positions: list[int] = []  # of each escape, in what is read
    shifts = [0]  # how much farther the text is behind each of them
    end = length = 0
    for escape in ESCAPE.finditer(plain):
        before = plain[end : escape.start()]
        parts += [before, _letter(escape)]
        length += len(before) + 1
        end = escape.end()
        positions.append(length - 1)
        shifts.append(end - length)
    if not positions and plain == text:
        return
    read = "".join([*parts, plain[end:]])
    for search in SEARCHES:
        for first, last in search(read):
            yield first + shifts[bisect_left(positions, first)], last + shifts[bisect_left(positions, last)]


def _letter(escape: re.Match[str]) -> str:
    """The letter that an escape stands for."""
    code = escape["hex"] or escape["entity"]
    return chr(int(code, 16) if code else int(escape["decimal"]))
