"""Addresses that are secret themselves: anybody who knows a webhook's path may use it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netdoctor.secret_forms.patterns import LatePattern
from netdoctor.secret_forms.plain_values import looks_secret

Span = tuple[int, int]

MOST = 5000  # addresses in one text; what has more is no report, and its rest is hidden
PATH = r"(?P<path>[^\s\"'<>`\\]{8,200})"
# a path below a hook, or the address that a name calls a webhook: secret from the first odd segment on
PATHS = (
    LatePattern(rf"(?i)(?<![a-z0-9])(?:web-?)?hooks?(?:b2)?/{PATH}"),
    LatePattern(rf"(?i)webhooks?(?:[_-]?ur[il])?[\"']?[ \t]?[:=][ \t]?[\"']?https?://[^\s/\"']{{1,200}}/{PATH}"),
    LatePattern(rf"(?:hc-ping\.com|events\.pagerduty\.com/integration|maker\.ifttt\.com/\S{{1,80}}/key)/{PATH}"),
    LatePattern(rf"(?i)https?://[^\s\"'<>]{{1,120}}/(?:api-?keys?|keys?|tokens?|invite|magic|reset-password)/{PATH}"),
)
WORDS = ("webhook", "hc-ping", "pagerduty", "ifttt", "/key", "key/", "/token", "/invite", "/magic", "/reset-password")
SEGMENT = re.compile(r"[^/?&#@=]+")
HEX = re.compile(r"(?:[0-9a-f]{4,}-?){2,}")  # also a UUID


def spans(text: str) -> Iterator[Span]:
    """Where the secret part of an address stands in a text."""
    lower = text.lower()
    for pattern in PATHS if any(word in lower for word in WORDS) else PATHS[:1]:
        for number, match in enumerate(pattern.finditer(text)):
            if number > MOST:
                yield match.start(), len(text)
                break
            for segment in SEGMENT.finditer(match["path"]):
                if looks_secret(segment[0]) or (len(segment[0]) >= 16 and HEX.fullmatch(segment[0])):
                    yield match.start("path") + segment.start(), match.end("path")
                    break
