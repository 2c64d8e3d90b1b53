"""Commands for a person to type: their words are the project's own, and each value that was found stays one inert word.

Values come from strangers: names of interfaces, rules of packet filters, objects of a cluster, recordings.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from netdoctor.redact import one_line

MOST = 8  # lines that anybody types


def command(form: str, *values: object) -> tuple[str, ...]:
    """The line, with a value in place of each `{}` of its form; a tuple of words is as many words.

    () where a value is empty, would be read as an option, does not print as it is, or may be a secret.
    """
    if not all(_is_plain(value) for value in values):
        return ()
    line = form.format(*map(_quoted, values))
    return (line,) if one_line(line) == line else ()


def all_of(commands: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The lines of all these commands; () where one of them is missing, or there are too many to type."""
    found = tuple(commands)
    lines = tuple(dict.fromkeys(line for each in found for line in each))
    return lines if all(found) and len(lines) <= MOST else ()


def _is_plain(value: object) -> bool:
    """Whether it can stand in a line as it is: no control characters, nothing that turns the order of reading."""
    if isinstance(value, tuple):  # words of a command, with its options
        return bool(value) and all(str(word).isprintable() for word in value)
    text = str(value)
    return text.isprintable() and text.strip() != "" and not text.startswith("-")


def _quoted(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, tuple) else shlex.quote(str(value))
