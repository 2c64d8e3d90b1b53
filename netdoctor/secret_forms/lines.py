"""Values that stand in the lines after their key: YAML's blocks, and what goes on there."""

from __future__ import annotations

import re

from netdoctor.secret_forms.plain_values import PROSE, is_plain
from netdoctor.secret_forms.quotes import end_of_line

Span = tuple[int, int]

LOOK_BACK = 120  # characters before a name that tell where it stands
BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
INDENT = re.compile(r"[ \t]*(?:- +)*")
LINE = re.compile(r"[^\n]*\n?")
ENTRY = re.compile(r"\s*(?:- |[\w.\"'/-]+\s*[:=]|[^\w\s\"'+/$!#*(<>|]|[a-z]+ \w+ )")  # begins something of its own
KEY_OF_MAPPING = re.compile(r"\s*(?:- *)?[\w.\"'/-]+\s*[:=](?:\s|$)")


def _indent(text: str, at: int) -> int:
    start = text.rfind("\n", max(0, at - LOOK_BACK), at) + 1 or max(0, at - LOOK_BACK)
    match = INDENT.match(text, start)
    return match.end() - start if match else 0


def block(text: str, name: int, start: int) -> Span:
    """A YAML block scalar: the lines that are indented further than its key; the next line at least."""
    own, at = _indent(text, name), end_of_line(text, start) + 1
    end = at
    while at < len(text) and (line := LINE.match(text, at)):
        blank = not line[0].strip()
        if not blank and end > end_of_line(text, start) + 1 and _width(line[0]) <= own:
            break
        at = line.end()
        end = end if blank else at
    return min(end_of_line(text, start) + 1, len(text)), max(min(end, len(text)) - 1, 0)


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def continued(text: str, name: int, stop: int) -> int:
    """To the end of a value that goes on in the next lines: after a backslash, or indented further than its key."""
    own = _indent(text, name)
    while stop < len(text) and (line := LINE.match(text, stop + 1)) and line[0].strip():
        after_backslash = text[stop - 1] == "\\"
        if not after_backslash and (_width(line[0]) <= own or ENTRY.match(line[0])):
            break
        stop = line.end() - line[0].endswith("\n")
    return stop


def next_line(text: str, name: int, stop: int) -> Span | None:
    """A value in the line after its key, indented further; None where there is none."""
    line = LINE.match(text, stop + 1) if stop < len(text) else None
    if not line or not line[0].strip() or _width(line[0]) <= _indent(text, name):
        return None
    if KEY_OF_MAPPING.match(line[0]) or is_plain(line[0].strip().removeprefix("- ")):
        return None
    if PROSE.match(line[0].strip()):
        return None
    return line.start() + _width(line[0]), line.end() - line[0].endswith("\n")
