"""Secrets that are known by what is around them: keys in PEM and PGP, users and passwords in URLs, HTTP headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netdoctor.secret_forms.patterns import LatePattern
from netdoctor.secret_forms.plain_values import looks_secret

Span = tuple[int, int]

MOST = 5000  # URLs in one text; what has more is no report, and its rest is hidden

BEGIN = re.compile(
    r"-{2,5} ?BEGIN [A-Z0-9 ]{0,40}?(?:PRIVATE KEY|PGP MESSAGE|SECRET|PRIVATE|ENCRYPTED)[A-Z0-9 ]{0,40}-{0,5}"
)
END = re.compile(r"-{2,5} ?END [A-Z0-9 ]{0,60}-{0,5}")
# the end of a key whose beginning was cut off: the lines before it are the key's
CUT_END = LatePattern(r"-----END [A-Z0-9 ]{0,40}(?:PRIVATE KEY|PGP MESSAGE)[A-Z0-9 ]{0,20}-{0,5}")
KEY_LINES = re.compile(r"(?:[A-Za-z0-9+/=]+|[ \t\"',|>]*(?:[\r\n]|[nr]\\)[ \t\"',|>]*)*")  # from the end to the front
PEM_IN_BASE64 = LatePattern(
    r"(?:LS0tLS1CRUdJTi|0tLS0tQkVHSU4|tLS0tLUJFR0lO|LS0tLS1FTkQg)(?:[A-Za-z0-9+/=_-]|"
    r"\\[nrt]|\s{1,8}(?=[A-Za-z0-9+/=_-]{40}))*"
)
PUTTY = LatePattern(r"(?i)Private-(?:Lines|MAC): ?[^\n]*(?:\n[A-Za-z0-9+/=]{10,}+)*")

SLASHES = LatePattern(r":(?:\\?/){2}")
AUTHORITY = re.compile(r"[^\s\"'<>`]+")
LONGEST_URL = 2000
IN_PERCENT = LatePattern(r"(?i)%3A%2F%2F(?P<rest>[^\s\"'<>&]{1,1000}?)%40")
WITHOUT_SCHEME = LatePattern(
    r"(?<![\w/.:@+-])(?!(?:mailto|sips?|tel|acct|system):)(?P<user>[\w.+-]{1,64}):(?P<password>[^\s:/@\"'<>,;]{3,200})@"
    r"(?!sha\d{3}:)(?=(?:[A-Za-z0-9-]{1,63}\.|localhost|tcp\(|unix\(|\[|[a-z0-9-]{1,63}[:/]))"
)
ORACLE = LatePattern(r"(?i)\bthin:[^\s@\"']{1,200}@")
PLAIN_USERS = frozenset(
    ("git", "root", "admin", "user", "postgres", "ubuntu", "core", "www", "anonymous", "app", "hg", "svn")
)
WEB = ("http", "https", "ws", "wss", "oci", "docker")
PLAIN_PASSWORDS = frozenset(("", "x", "x-oauth-basic", "x-token-auth"))

BEARER = LatePattern(
    r"(?i)\b(?:bearer|negotiate|ntlm|apikey|hmac)(?:[ \t]+|\r?\n[ \t]+|%20|\+|\\?[nt])(?P<value>[\w.~+/=:%-]{6,}+)"
)
BASIC = LatePattern(r"(?i)\bbasic(?:[ \t]+|\r?\n[ \t]+|%20)(?P<value>[\w+/-]{6,}+={0,2})")
HEADER = LatePattern(
    r"(?i)(?<![a-z0-9])(?P<name>(?:proxy-)?authorization|(?:set-)?cookie2?|x-(?:[a-z0-9]{1,16}-){0,3}(?:api|access)?(?:key|"
    r"token|auth|secret|signature|credential)s?|(?:api|private|job|deploy|vault)-(?:key|"
    r"token)|x-amz-security-token|www-authenticate-token)"
    r"\\?[\"']?[ \t]{0,5}(?:[:=]|=>|%3A)[ \t]{0,5}(?P<value>[^\r\n]*)"
)
WORD_ONLY = re.compile(r"[a-z]{1,14}\.?|[A-Z][a-z]{1,14}\.?")


def spans(text: str) -> Iterator[Span]:
    """Where such secrets stand in a text."""
    if "BEGIN " in text or "END " in text:
        yield from _keys(text)
    if "LS0tL" in text or "LS0tQ" in text or "tLUJF" in text:
        yield from (match.span() for match in PEM_IN_BASE64.finditer(text))
    if "rivate-" in text:
        yield from (match.span() for match in PUTTY.finditer(text))
    if "@" in text:
        yield from _urls(text)
    if "%40" in text:
        yield from (match.span("rest") for match in IN_PERCENT.finditer(text))
    yield from _headers(text)


def _keys(text: str) -> Iterator[Span]:
    """Blocks from BEGIN to END, to the end of the text where END was cut off, and ends without a beginning."""
    at = 0
    while begin := BEGIN.search(text, at):
        end = END.search(text, begin.end())
        at = end.end() if end else len(text)
        yield begin.start(), at
    at = 0
    for end in CUT_END.finditer(text):
        if "-----BEGIN" not in text[at : end.start()]:
            lines = KEY_LINES.match(text[at : end.start()][::-1])
            yield end.start() - (lines.end() if lines else 0), end.end()
        at = end.end()


def _urls(text: str) -> Iterator[Span]:
    """User and password before the @ of a URL."""
    schemes = list(SLASHES.finditer(text))
    for number, scheme in enumerate(schemes):
        if number > MOST:
            yield scheme.start(), len(text)
            break
        end = schemes[number + 1].start() if number + 1 < len(schemes) else len(text)
        start = scheme.end()
        rest = AUTHORITY.match(text, start, min(end, start + LONGEST_URL))
        if rest and (userinfo := _userinfo(rest[0], _scheme(text, scheme.start()))):
            yield start + userinfo[0], start + userinfo[1]
    yield from (match.span("password") for match in WITHOUT_SCHEME.finditer(text))
    yield from ((match.start() + 5, match.end() - 1) for match in ORACLE.finditer(text))


def _scheme(text: str, end: int) -> str:
    start = end
    while start > 0 and end - start < 20 and (text[start - 1].isalnum() or text[start - 1] in "+.-"):
        start -= 1
    return text[start:end].lower()


def _userinfo(rest: str, scheme: str) -> Span | None:
    """What of `user:password@host/path` is secret; None where there is no @ that ends a user."""
    end = _end_of_userinfo(rest, scheme)
    if end < 0:
        return None
    user, colon, password = rest[:end].partition(":")
    if not colon:
        return None if user.lower() in PLAIN_USERS or not user else (0, end)
    is_name = len(user) <= 16 and sum(map(str.isdigit, user)) < 3
    if password in PLAIN_PASSWORDS or not is_name:
        return 0, end
    return len(user) + 1, end


def _end_of_userinfo(rest: str, scheme: str) -> int:
    """Where the @ stands that ends user and password, -1 for nowhere."""
    last = rest.rfind("@")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if last < len(authority):
        return last
    if "@" in authority:  # the last one is of the path, as in https://host/@scope/package
        return authority.rfind("@")
    return last if _begins_password(authority, scheme) else -1


def _begins_password(authority: str, scheme: str) -> bool:
    """Whether a password that holds a slash begins here: what is around the colon is not a host and a port."""
    user, colon, password = authority.partition(":")
    is_port = password.isdigit() and scheme in WEB
    return bool(colon) and not is_port and "." not in user


def _headers(text: str) -> Iterator[Span]:
    """The values of HTTP's headers, and what stands behind the name of a way to log in."""
    lower = text.lower()
    if _may_hold_header(lower):
        yield from _values_of_headers(text)
    if any(word in lower for word in ("bearer", "negotiate", "ntlm", "apikey", "hmac")):
        yield from (m.span("value") for m in BEARER.finditer(text) if not WORD_ONLY.fullmatch(m["value"]))
    if "basic" in lower:
        yield from (m.span("value") for m in BASIC.finditer(text) if _is_credential(m["value"]))


def _may_hold_header(lower: str) -> bool:
    """Whether parts of the name of a secret header are in a text; spares a search in most."""
    if "cookie" in lower:
        return True
    named = any(word in lower for word in ("key", "token", "auth", "secret", "signature", "credential"))
    return named and any(word in lower for word in ("authorization", "x-", "-key", "-token"))


def _values_of_headers(text: str) -> Iterator[Span]:
    for match in HEADER.finditer(text):
        value = match["value"].strip(" \t\"'")
        if value and not WORD_ONLY.fullmatch(value) and not value.startswith("[redacted]"):
            yield match.span("value")


def _is_credential(value: str) -> bool:
    """Whether what follows `basic` is user and password in Base64, and not the next word of a sentence."""
    if value.endswith("=") or looks_secret(value):
        return True
    return not value.islower() and not WORD_ONLY.fullmatch(value)
