"""HTML, XML and Markdown with each of their texts redacted on its own, so that nothing between two texts is hidden.

A text that ends in `password=` would else take what follows it for the secret: the end of its element or of its code.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from netdoctor.redact import redact

MARKUP = ("<!doctype html>", "<?xml ", "<svg ")
MARKDOWN = ("## netdoctor ",)
TAG = re.compile(r"(<[^<>]*>)")  # what netdoctor writes has neither sign in a text or an attribute
ATTRIBUTE = re.compile(r'(?<==")[^"]*(?=")')
BETWEEN_TEXTS = re.compile(r"(\n|`+|\|)")  # lines, code, and the cells of a table


def redacted_document(text: str) -> str | None:
    """The document with each text in it redacted; None for any other text."""
    if text.startswith(MARKUP):
        return _by_part(text, TAG, _tag, _plain)
    if text.startswith(MARKDOWN):
        return _by_part(text, BETWEEN_TEXTS, str, redact)
    return None


def _by_part(text: str, between: re.Pattern[str], separator: Callable[[str], str], part: Callable[[str], str]) -> str:
    """The text with its parts and what separates them, each given through its own function."""
    parts = between.split(text)
    parts[::2] = map(part, parts[::2])
    parts[1::2] = map(separator, parts[1::2])
    return "".join(parts)


def _tag(tag: str) -> str:
    return ATTRIBUTE.sub(lambda value: _plain(value[0]), tag)


def _plain(escaped: str) -> str:
    """A text or an attribute's value, checked as it is read, and left as it is written where nothing was hidden."""
    read = html.unescape(escaped)
    told = redact(read)
    return escaped if told == read else html.escape(told)
