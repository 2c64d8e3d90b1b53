"""The one way out for text: whatever is written to a terminal, a report, a recording or a journal passes here.

Facts are made so that they hold no secret; this is the second lock. It hides the secrets that this process has read,
in every spelling, and what has the form of one (`netdoctor.secret_forms`).
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable

from netdoctor.secret_forms import commands, escaped, forms, named, prefixes, sentences, webhooks, words
from netdoctor.secret_forms.known import KnownSecrets

HIDDEN = "[redacted]"
# what colours text or moves the cursor: nothing is lost without it, and a word is whole again
STEERING = re.compile(r"(?:\x1b\[|\x9b)[0-9;?<=>]*[ -/]*[@-~]")
INSTEAD = "\N{REPLACEMENT CHARACTER}"  # of a control character: a recording must not steer a terminal
SHORTEST = 4  # characters; a shorter secret would take words out of every sentence
# placeholders and names: who has one of these as a password has no secret, and would have no readable report
WORDS = frozenset(
    ("none", "null", "true", "false", "empty", "default", "postgres", "postgresql", "litellm", "password")
)
PLAIN_URL = re.compile(r"https?://[^@?]*")
SEARCHES = (
    named.spans,
    commands.spans,
    sentences.spans,
    forms.spans,
    prefixes.spans,
    webhooks.spans,
    words.spans,
    escaped.spans,
)

_known = KnownSecrets()
_lock = threading.Lock()


def remember(secret: str) -> None:
    """Take this value out of everything that is written from now on."""
    value = secret.strip()
    if len(value) >= SHORTEST and value.lower() not in WORDS and not PLAIN_URL.fullmatch(value):
        with _lock:
            _known.add(value)


def redact(text: str) -> str:
    """The text without secrets, and without characters that steer a terminal or turn the order of what is read."""
    text = visible(text)
    with _lock:
        text = _hide(text, list(_known.spans(text)))
    for search in SEARCHES:
        text = _hide(text, list(search(text)))
    return text


def one_line(text: object) -> str:
    """The text as a field of a line: redacted, and its line breaks are spaces, so that it begins no line of its own."""
    line = redact(str(text))
    return " ".join(part for part in re.split(r"[\n\r\t]+", line)) if "\n" in line or "\t" in line else line


def block(lines: Iterable[str]) -> str:
    """Lines as one text; each stays one line, whatever its fields hold."""
    return "\n".join(map(one_line, lines))


def excerpt(text: object, most: int) -> str:
    """Somebody else's text in one line of at most so many characters: redacted before it is cut."""
    line = " ".join(redact(str(text)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def visible(text: str) -> str:
    """The text without control, format, private and unassigned characters; tab and newline stay."""
    if text.isascii() and text.isprintable():
        return text
    text = STEERING.sub("", text.replace("\r\n", "\n"))
    return text.translate({ord(each): _shown(each) for each in set(text) if not each.isprintable()})


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    kind = unicodedata.category(character)
    if kind == "Cf":  # without a width, or turning the order: nothing is lost without it, and a word is whole again
        return ""
    if character == "\r":
        return "\n"
    return " " if kind in ("Zs", "Zl", "Zp") else INSTEAD


def _hide(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with these spans hidden; what was hidden before stays as it is."""
    if not spans:
        return text
    parts, end = [], 0
    for first, last in _joined(sorted(spans)):
        hidden = text[first:last]
        if hidden.strip() in ("", HIDDEN):
            continue
        parts += [text[end:first], HIDDEN]
        end = last
    return "".join([*parts, text[end:]])


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in spans:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
