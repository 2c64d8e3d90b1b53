"""Names whose values are secret: password, token, api_key, and where such names may stand in a text."""

from __future__ import annotations

import re

MOST = 2000  # names in one text; what has more is no report, and its rest is hidden
NEAR = 48  # characters around a hint
SMALL = {code: code + 32 for code in range(65, 91)}
# names that are secret wherever they stand in a word; names that are one only as a word of their own
STRONG = (
    r"pass[_ -]?w(?:or)?d|passphrase|passcode|passwort|contrase[nñ]a|mot[_ ]?de[_ ]?passe|"
    r"kennwort|senha|wachtwoord|has[lł]o|heslo|пароль|密码|密碼|パスワード|비밀번호"
)
WEAK = (
    r"secret(?:[_.-]?(?:access|encryption|signing)?[_.-]?key(?:[_.-]?base)?|[_.-]?id)?|token|credentials?|"
    r"(?:api|access|private|secret|account|shared|master|encryption|signing|certificate|client|auth|app|application|"
    r"consumer|session|service|storage|ssh|license|webhook|salt|fernet|preshared|pre-shared|"
    r"hmac|sas|jwt|rsa|admin|write|read|deploy|provision(?:ing)?|ingest|subscription|"
    r"pass|functions?|host|primary|secondary|cipher|aes|decryption|unseal|recovery|root|join)"
    r"[_. -]?key(?:[_.-]?id)?"
)
ALONE = (
    r"(?<!not )pass|pwd?|pswd|passwd?|psk|auth|creds?|dsn|sig|signature|salt|jwt|otp|totp|nonce|"
    r"requirepass|masterauth|session_?id|jsessionid|phpsessid|connection[_. -]?string|"
    r"conn[_.-]?str|bearer|apikey|htpasswd|passin|passout|unseal|mnemonic|seed[_ -]?phrase|"
    r"identified by|wpa_psk|pin_?code|storepass|keypass|xsrf|connect\.sid|"
    r"(?:db|my|pg|sql|root|user|auth|priv|become|ftp|smtp|mail|admin|redis|bind|proxy|http)_?(?:pass|pwd?)"
)
OTHER_KEY = r"[a-z0-9]{1,40}[_-]key"
SUFFIX = (
    r"(?:s|[_.-]?(?:hash|value|data|b64|base64|enc(?:oded|rypted)?|raw|text|plain(?:text)"
    r"?|string|old|new|prev(?:ious)?|current|default|prod|dev|test|stag(?:e|ing)|primary|"
    r"secondary|\d{1,4})| \d{1,2}(?=[ \t]?[:=]))?"
)
NAME = re.compile(
    rf"(?:(?P<strong>{STRONG})|(?P<weak>{WEAK})|(?P<alone>(?<![a-z])(?:{ALONE})|(?<=[a-z])"
    rf"(?-i:P(?:ass|wd|sk)|Auth|Creds?|D[Ss][Nn]|Sig|Salt|J[Ww][Tt]|O[Tt][Pp]|ApiKey))"
    rf"|(?<![a-z0-9])(?P<other>{OTHER_KEY})){SUFFIX}"
    r"(?![a-z0-9-]|_[a-z0-9]|\.[a-z])(?:\[[\"']?\w{0,20}[\"']?\])?",
    re.IGNORECASE,
)
# a part of each name; where one stands the names are looked for
HINTS = tuple(
    re.findall(
        r"\S+",
        "passw passp passc pass pwd pswd secret token key cred auth psk dsn sig= signature salt jwt otp contras passe "
        "masterauth session_id sessionid sessid connection conn_str conn-str connstr bearer unseal mnemonic seed "
        "identified pin_code pincode nonce pw= pw: kennwort senha wachtwoord haslo hasło heslo xsrf "
        "ароль 密码 密碼 パスワード 비밀번호",
    )
)


def is_secret_name(name: str) -> bool:
    """Whether a key of a mapping says that its value is secret."""
    return any(match.end() == len(name) and not match["other"] for match in NAME.finditer(name[-200:]))


def places(text: str) -> tuple[list[tuple[int, int]], int]:
    """Where names may stand: what is around each hint, joined; and from where on there are too many of them."""
    lower = text.lower() if text.isascii() else text.translate(SMALL)
    hits: list[int] = []
    rest = len(text)
    for hint in HINTS:
        found, more = _hits(lower, hint)
        hits += found
        if more >= 0:
            rest = min(rest, more)
    return _joined(sorted(hits)), rest


def _hits(lower: str, hint: str) -> tuple[list[int], int]:
    """Where a hint stands, so many times at most; and where it stands once more, -1 for nowhere."""
    found: list[int] = []
    at = lower.find(hint)
    while at >= 0 and len(found) < 2 * MOST:
        found.append(at)
        at = lower.find(hint, at + len(hint))
    return found, at


def _joined(hits: list[int]) -> list[tuple[int, int]]:
    """What is around each of these places, in order; what overlaps becomes one."""
    joined: list[tuple[int, int]] = []
    for at in hits:
        start, end = max(0, at - NEAR), at + 2 * NEAR
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
