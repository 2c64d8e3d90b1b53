"""The one way out for text: whatever is written to a terminal, a report, a recording or a journal passes here.

Facts are made so that they hold no secret; this is the second lock. It takes out the secrets that this process has
read, and what has the form of one.
"""

from __future__ import annotations

import re
import threading

HIDDEN = "[redacted]"
# the value of a password in a URL, of an assignment, of an Authorization header; keys and tokens by their form.
# Each part is bounded or possessive where another could begin within it: a hostile text takes no longer than another
FORMS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,200}:)[^\s\"'<>]{1,1000}(?=@)", re.IGNORECASE),
     r"\1" + HIDDEN),
    (re.compile(r"((?:password|passwd|pwd|secret|token|api[_-]?key|master[_-]?key)\b[\"']?\s*[=:]\s*)"
                r"(?:\"[^\"]*\"|'[^']*'|[^\s,;\"'}]+)", re.IGNORECASE), r"\1" + HIDDEN),
    (re.compile(r"(\bBearer\s+)[\w.~+/-]+=*", re.IGNORECASE), r"\1" + HIDDEN),
    (re.compile(r"(\bAuthorization[\"']?\s*[=:]\s*[\"']?Basic\s+)[\w+/]+=*", re.IGNORECASE), r"\1" + HIDDEN),
    (re.compile(r"\bsk-[\w-]{8,}"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{10,1000}+\.[\w-]{10,}+\.[\w-]*"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL),
     HIDDEN),
)  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # a recording must not steer a terminal
SHORTEST = 4  # characters; a shorter secret would take words out of every sentence
# placeholders and names: who has one of these as a password has no secret, and would have no readable report
WORDS = frozenset(
    ("none", "null", "true", "false", "empty", "default", "postgres", "postgresql", "litellm", "password")
)
PLAIN_URL = re.compile(r"https?://[^@?]*")

_known: set[str] = set()
_lock = threading.Lock()


def remember(secret: str) -> None:
    """Take this value out of everything that is written from now on."""
    if len(secret) >= SHORTEST and secret.lower() not in WORDS and not PLAIN_URL.fullmatch(secret):
        with _lock:
            _known.add(secret)


def redact(text: str) -> str:
    """The text without secrets, and without control characters other than tab and newline."""
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for secret in known:
        text = text.replace(secret, HIDDEN)
    for form, instead in FORMS:
        text = form.sub(instead, text)
    return CONTROL.sub("�", text)
