"""Secrets that this process has read, found again in a text: plain, escaped, encoded, wrapped over lines, cut in half.

Text and secrets are compared by their letters and digits alone, after escapes were undone: quotes, backslashes, line
breaks and indents make no difference then. Eight letters or digits in a row of a secret are as secret as the whole.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from bisect import bisect_right
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

TELLING = 8  # letters and digits in a row that are taken for a part of a secret
PROBED, STRIDE = 5, 4  # 8 in a row hold 5 that begin at a multiple of 4
LONGEST = 16 << 10  # characters of a secret that are indexed; a longer one is a file, found whole
RUN = re.compile(r"[A-Za-z0-9]+")
ESCAPES = frozenset("%\\&\x1b")
# an escape, or a run of letters and digits; a terminal's colours stand for nothing
PART = re.compile(
    r"(?P<colour>\x1b\[[0-9;?]*[A-Za-z])"
    r"|%(?:25){0,8}(?P<percent>[0-9A-Fa-f]{2})"
    r"|\\++(?:u(?P<unicode>[0-9A-Fa-f]{4})|x(?P<hex>[0-9A-Fa-f]{2})|(?P<letter>[abefnrtv]))?"
    r"|&(?:amp;){0,8}(?:\#[xX](?P<entity>[0-9A-Fa-f]{1,6})|\#(?P<decimal>[0-9]{1,7})|(?P<named>[a-z]{2,6}));"
    r"|(?P<run>[A-Za-z0-9]+)"
)
# words of which a part of a secret may consist without being one: a report is made of them
VOCABULARY = re.sub(
    r"[^a-z0-9]", "",
    "postgresql password database authentication authorization username kubernetes.default.svc.cluster.local. "
    "litellm-modules namespace netdoctor default.svc.cluster.local kube-system.svc.cluster.local localhost "
    "connection application production development administrator service.default.svc secret credentials "
    "https://www. http://localhost 127.0.0.1 placeholder changeme undefined "
    "litellm-embeddings litellm-image-gen litellm-vision litellm-audio litellm-llm prometheus provider gateway "
    "master-key module-key salt-key provider-key",
)  # fmt: skip

Span = tuple[int, int]


class KnownSecrets:
    """An index of secrets; `spans` finds them in a text."""

    def __init__(self) -> None:
        self._plain: set[str] = set()
        self._probes: set[str] = set()
        self._parts: set[str] = set()
        self._ordered: tuple[str, ...] = ()

    def __contains__(self, secret: str) -> bool:
        return secret in self._plain

    def add(self, secret: str) -> None:
        """Know this secret from now on, in every spelling."""
        if secret in self._plain:
            return
        canonical = _canonical(secret)
        exact = {secret, *(line.strip() for line in secret.splitlines() if len(line.strip()) > TELLING)}
        if len(canonical) < TELLING or not secret.isascii():
            exact |= set(_spellings(secret))
        self._plain |= exact
        self._ordered = tuple(sorted(self._plain, key=len, reverse=True))
        for form in _encodings(secret[:LONGEST]):
            parts = {form[start : start + TELLING] for start in range(len(form) - TELLING + 1)}
            self._parts.update(part for part in parts if part not in VOCABULARY)
            self._probes.update(form[start : start + PROBED] for start in range(len(form) - PROBED + 1))

    def spans(self, text: str) -> Iterator[Span]:
        """Where a known secret, or 8 letters and digits in a row of one, stand in a text."""
        for secret in self._ordered:
            at = text.find(secret)
            while at >= 0:
                yield at, at + len(secret)
                at = text.find(secret, at + len(secret))
        if self._parts and (found := self._in(_canonical(text))):
            yield from _mapped(text, found)

    def _in(self, canonical: str) -> list[Span]:
        """Where parts of secrets stand in a text's letters and digits; what touches is one."""
        found: list[Span] = []
        for at in range(0, len(canonical) - PROBED + 1, STRIDE):
            if canonical[at : at + PROBED] not in self._probes:
                continue
            for start in range(max(0, at - STRIDE + 1), at + 1):
                if canonical[start : start + TELLING] in self._parts:
                    if found and start <= found[-1][1]:
                        found[-1] = (found[-1][0], start + TELLING)
                    else:
                        found.append((start, start + TELLING))
        return found


def _decoded(match: re.Match[str]) -> str:
    """What a part of the text adds to its letters and digits."""
    kind = match.lastgroup
    if kind == "run":
        return match["run"]
    if kind in ("percent", "unicode", "hex", "entity", "decimal"):
        code = int(match[kind], 10 if kind == "decimal" else 16)
        letter = chr(code) if code < 128 else ""
        return letter if letter.isalnum() else ""
    return ""


def _canonical(text: str) -> str:
    """The letters and digits of a text, escapes undone, in small letters."""
    if ESCAPES.isdisjoint(text):
        return "".join(RUN.findall(text)).lower()
    return "".join(map(_decoded, PART.finditer(text))).lower()


def _mapped(text: str, found: list[Span]) -> Iterator[Span]:
    """The same spans in the text itself."""
    begins: list[int] = []  # of each part, in letters and digits
    places: list[tuple[int, int, bool]] = []  # and in the text, and whether letter stands for letter
    length = 0
    for match in PART.finditer(text):
        if letters := _decoded(match):
            begins.append(length)
            places.append((match.start(), match.end(), match.lastgroup == "run"))
            length += len(letters)

    def place(letter: int) -> Span:
        part = bisect_right(begins, letter) - 1
        start, end, plain = places[part]
        if plain:
            return start + letter - begins[part], start + letter - begins[part] + 1
        return start, end

    for first, last in found:
        yield place(first)[0], place(last - 1)[1]


def _encodings(secret: str) -> Iterator[str]:
    """A secret's letters and digits, as it is and as others encode it."""
    data = secret.encode(errors="replace")
    forms = [secret, secret[::-1], data.hex()]
    once = list(_in_base64(data))
    forms += once
    for form in once:
        forms += _in_base64(form.encode())
    for form in forms:
        yield _canonical(form)


def _in_base64(data: bytes) -> Iterator[str]:
    """What stands in base64 for these bytes within others, at each alignment, without the ends that others decide."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        cut = (before + len(data)) % 3 != 0
        yield text[(0, 2, 3)[before] : len(text) - cut]


def _spellings(secret: str) -> Iterator[str]:
    """Other spellings of a secret that is too short, or has too few letters, to be known by these."""
    data = secret.encode(errors="replace")
    percent = quote(secret, safe="", errors="replace")
    yield from (percent, percent.lower(), quote(secret, errors="replace"), quote_plus(secret, errors="replace"))
    yield from ("".join(f"%{byte:02X}" for byte in data), "".join(f"%{byte:02x}" for byte in data))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    yield from (html.escape(secret), shlex.quote(secret), re.sub(r"(\W)", r"\\\1", secret))
    yield from (
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode(),
        data.hex(),
        data.hex().upper(),
    )
    yield from (form for form in _in_base64(data) if len(form) > 5)
