"""Words of high disorder: what no person, compiler or Kubernetes makes up as a name.

Digests, UIDs, container ids and chain names are disorder too, and no secret: hexadecimal words stay, and so do words
of small letters and digits, as pods have them, up to a length.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

SHORTEST = 20
SHORTEST_OF_SMALL = 30  # of one case and digits without a break: longer than any name that Kubernetes makes
WORD = re.compile(r"[A-Za-z0-9+/=_-]{20,}+")
SEGMENT = re.compile(r"[A-Za-z0-9]+")
HEX = re.compile(r"(?:0[xX])?(?:[0-9a-f]+|[0-9A-F]+)")
# a run of one kind, as "words" of camel case count: a capital and the small letters after it
RUNS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
AWS = re.compile(r"[A-Za-z0-9/+]{40}")
FINGERPRINT = ("SHA256:", "sha256:", "sha256-", "sha384-", "sha512-")
ORACLE = re.compile(r"ocid1\.[\w.-]{0,60}\Z")  # a name of a thing in Oracle's cloud
PROBED = 400  # characters of a packed state that are unpacked to know it
DIGITS = frozenset("0123456789")


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where words of high disorder stand in a text."""
    for match in WORD.finditer(text):
        word = match[0]
        if is_disorder(word) and not _exempt(text, match.start(), word):
            yield match.span()


def is_disorder(word: str) -> bool:
    """Whether a word looks as if dice had made it."""
    if DIGITS.isdisjoint(word):
        return _letters_alone(word)
    segments = SEGMENT.findall(word)
    odd = sum(len(segment) for segment in segments if _is_odd(segment))
    if odd >= 16:
        return True
    return bool(AWS.fullmatch(word)) and _counts(word) and _mixed("".join(segments), 0.3)


def _is_odd(segment: str) -> bool:
    """Whether letters and digits of a segment, which is not hexadecimal, are mixed as in no name."""
    if HEX.fullmatch(segment):
        return False
    if segment.islower() or segment.isupper():
        return len(segment) >= SHORTEST_OF_SMALL and _mixed(segment, 0.3)
    return len(segment) >= 6 and _mixed(segment, 0.35)


def _letters_alone(word: str) -> bool:
    """Without a digit: many changes of case within one segment."""
    return any(
        len(segment) >= SHORTEST and not segment.islower() and not segment.isupper() and _mixed(segment, 0.5)
        for segment in SEGMENT.findall(word)
    )


def _counts(word: str) -> bool:
    return sum(map(str.isupper, word)) >= 5 and sum(map(str.islower, word)) >= 5


def _mixed(segment: str, share: float) -> bool:
    """Whether the kinds of its letters change so often that it is neither camel case nor a name with a number."""
    return len(RUNS.findall(segment)) >= share * len(segment)


def _exempt(text: str, start: int, word: str) -> bool:
    if text.startswith(FINGERPRINT, max(0, start - 7)) and start >= 6:
        return True
    if word.startswith(FINGERPRINT) or ORACLE.search(text[max(0, start - 70) : start]):
        return True
    return word.startswith("eJ") and _is_packed(word)


def _is_packed(word: str) -> bool:
    """Whether it is zlib's: the state of a node's network in a recording, and no secret."""
    import zlib

    try:
        zlib.decompressobj().decompress(base64.b64decode(word[:PROBED], validate=True), 1)
    except (ValueError, zlib.error):
        return False
    return True
