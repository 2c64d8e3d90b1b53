"""Values that a name calls secret: in JSON, YAML, environments, ini files, flags, queries, XML and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

MOST = 2000  # names in one text; what has more is no report, and its rest is hidden
NEAR = 48  # characters around a hint
SMALL = {code: code + 32 for code in range(65, 91)}
LOOKED_AT = 400  # characters of a value that tell whether it is one
LOOK_BACK = 120  # characters before a name that tell where it stands
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
QUOTE = r"(?:\\*[\"'`]|&(?:quot|apos|#0?34|#0?39|#x22|#x27);|%22|%27)"
# what stands between a name and its value
BETWEEN = re.compile(
    rf"(?P<close>{QUOTE}|\*\*|[\])])?"
    rf"(?:[ \t]{{0,40}}(?P<pair>,?\s{{0,200}}{QUOTE}?val(?:ue)?{QUOTE}?)?[ \t]{{0,40}}"
    r"(?P<sep>={1,3}>?|:=|->|\+=|\?=|::?(?![/:])|%3[adAD])(?:[ \t]{0,40}|\s{0,4}(?=[\"'])))"
    rf"(?P<nested>\s{{0,40}}\{{\s{{0,100}}{QUOTE}?(?:value|data|text|content|stringdata)"
    rf"{QUOTE}?\s{{0,10}}:\s{{0,20}})?",
    re.IGNORECASE,
)
TUPLE = re.compile(rf"{QUOTE}\s{{0,20}},\s{{0,20}}(?=[bBrRuU]{{0,2}}{QUOTE})")
TAG = re.compile(r"[\"']?(?:[ \t][^<>\n]{0,200})?>(?=[^\s<])")
CELL = re.compile(r"[ \t]{0,80}[|│][ \t]{0,80}(?=[^\s|│])")
OPTION_FIRST = re.compile(rf"{QUOTE}--")  # in a list of arguments: no value, but the next option
NEXT_ARGUMENT = re.compile(r"[\"']?[ \t]*\n[ \t]*-[ \t]+(?=[^\s-])")
BETWEEN_LINES = re.compile(r"[ \t]{0,40}\n[ \t]{0,40}(?:=|:=|:)(?:[ \t]{0,40}\n)?[ \t]{0,40}(?=\S)")
SPACE = re.compile(r"[ \t\ufffd\u2400]{1,20}(?=[^\s-])")  # also what stands for the zero between two arguments
SPACE_AND_QUOTE = re.compile(rf"[ \t]{{1,20}}(?={QUOTE})")
SAID = re.compile(
    r"[ \t]{1,4}(?:is|was|are|equals|of|set to|changed to)(?:[ \t]{1,4}|:[ \t]{0,4})(?=\S)", re.IGNORECASE
)
OPTION = re.compile(r"(?:^|[\s\"'=(,\[])-{1,2}[\w.-]{0,60}\Z")
LOGIN = re.compile(
    r"\blogin[ \t]+\S{1,80}[ \t]+\Z|\b(?:requirepass|masterauth|identified by)\Z|\b(?:alter|"
    r"create) (?:role|user)\b.{0,60}\Z",
    re.IGNORECASE,
)
# where a name opens a line, an entry of a mapping, a parameter of a URL or a quoted header
OPENING = re.compile(
    r"(?:^|[\n\r{\[(,;&?#|]|\\n|[-+*>#]|export|set|env|ENV|ARG)[\s\-*+>]*[\"'`\\]{0,4}(?:export )?[\w. /-]{0,60}\Z"
)
QUOTED = re.compile(r"[\"'`][\w. -]{0,60}\Z")
IN_URL = re.compile(r"[?&#;][\w.%-]{0,60}\Z")
# why the file with such a name was not read, in the kernel's words
NOT_READ = (
    "permission denied", "no such file or directory", "not a directory", "is a directory", "operation not permitted",
    "input/output error", "read-only file system",
)  # fmt: skip
PLAIN_VALUES = frozenset(
    [
        *NOT_READ,
        *re.findall(
            r"\S+",
            "true false null none nil yes no on off ~ {} [] <nil> <none> string str bytes int bool any object required "
            "optional expired invalid missing wrong unknown unset empty hidden redacted refused denied accepted "
            "rejected | > enabled disabled basic bearer password trust md5 scram-sha-256 cert peer ident <unset> <set> "
            "<hidden> prohibited present absent",
        ),
    ]
)
REFERENCE = re.compile(
    r"(?:os\.environ/\w+|\$[A-Z_][A-Z0-9_]*|\$?\$[{(]\w+[})]|\$?\{\{[^}]{0,80}\}\}|%\(?\w+\)?[s%]|"
    r"\*+|x{3,}|\.{3}|<[A-Za-z]{1,13}(?:[ _-][A-Za-z]{1,13}){0,4}>)[\s,;.)}\]]*"
)
PATH = re.compile(
    r"(?:file://|@)?/(?:etc|var|run|root|home|tmp|usr|opt|srv|mnt|proc|sys|dev|data|apps?|"
    r"secrets?|config|certs?|ssl|pki|bin|lib|lib64"
    r"|boot|media|snap|workspace)(?:/[A-Za-z0-9._@+-]{1,60}+){0,20}/?[\s,;.)]*"
)
NUMBER = re.compile(r"-?\d{1,7}(?:\.\d+)?(?:ms|s|m|h)?(?=[\s,;.)}\]]|\Z)[\s,;.)}\]]*(?:\Z|(?<=[\s,}\]]))")
STRUCTURE = re.compile(r"[{\[]{1,2}(?:\s*[\"']?[\w.-]{1,60}[\"']?\s*:|\s*$)")
LIBPQ = re.compile(
    r"[ \t]+(?:user|host|hostaddr|port|dbname|sslmode|connect_timeout|application_name|target_session_attrs)[ \t]?="
)
PIECE = re.compile(r"[^\s\"'`,;)}\]]+")
OPEN = re.compile(rf"(?:[bBrRfFuU]{{1,2}}|\$)?(?P<quote>{QUOTE})")
BLOCK = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
INDENT = re.compile(r"[ \t]*(?:- +)*")
LINE = re.compile(r"[^\n]*\n?")
PROSE = re.compile(
    r"[\"']?(?:not|no|is|has|have|does|do|did|cannot|can|could|failed|failure|context|"
    r"invalid|expired|error|errors|exec|the|a|an|unable|must|will|was|with|for|in|on|"
    r"of|from|to|requires|missing|wrong|unknown|it|this|that|there|at|and|or|key|keys|"
    r"[A-Z][A-Z0-9]{1,40}(?:_[A-Z0-9]{1,40}){1,8} (?:is|are|has|of|in)|"
    r"secrets (?:is|are)|Secret|Get|Post|dial|couldn't|didn't|isn't|doesn't|authentication)\b(?=[ ,.:;])"
)


def spans(text: str) -> Iterator[Span]:
    """Where values of secret names stand in a text."""
    quotes = _Quotes(text)
    done = number = 0
    places, rest = _places(text)
    for start, end in places:
        for name in NAME.finditer(text, max(start, done), end):
            number += 1
            if number > MOST:
                yield name.start(), len(text)
                return
            if name.start() < done:
                continue
            found = _value_of(text, name, quotes)
            if found and found[1] > found[0]:
                yield found
                done = found[1]
    yield rest, len(text)


def _places(text: str) -> tuple[list[Span], int]:
    """Where names may stand: what is around each hint, joined; and from where on there are too many of them."""
    lower = text.lower() if text.isascii() else text.translate(SMALL)
    hits: list[int] = []
    rest = len(text)
    for hint in HINTS:
        count, at = 0, lower.find(hint)
        while at >= 0 and count < 2 * MOST:
            hits.append(at)
            count += 1
            at = lower.find(hint, at + len(hint))
        if at >= 0:
            rest = min(rest, at)
    joined: list[Span] = []
    for at in sorted(hits):
        start, end = max(0, at - NEAR), at + 2 * NEAR
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined, rest


def is_secret_name(name: str) -> bool:
    """Whether a key of a mapping says that its value is secret."""
    return any(match.end() == len(name) and not match["other"] for match in NAME.finditer(name[-200:]))


def looks_secret(word: str) -> bool:
    """Whether a word of a sentence may be a secret: letters and digits together, and no address or version."""
    word = word.strip(".,:;!?()[]{}\"'`")
    letters, digits = sum(map(str.isalpha, word)), sum(map(str.isdigit, word))
    if (
        len(word) < 8
        or letters < 2
        or digits < (1 if len(word) >= 16 else 2)
        or "://" in word
        or word.lower().startswith(("/", "sha256:", "sha256-"))
    ):
        return False
    return not re.fullmatch(
        r"(?:[0-9a-f]+-?)+|[a-z][a-z0-9-]*/(?:[a-z]+\d{0,3}|[a-z][a-z0-9]{0,7})(?:-[a-z0-9]+)+|net\.[\w./-]+|system:[\w:.-]+|[\d.]+(?:[/:]\w+)*|v?\d+(?:\.[\w+-]+)+|v?\d{1,4}[a-z]{0,3}|(?:\d+(?:ms|us|ns|[dhms]))+|(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)"
        r"?|(?:[a-z]+[\d.]*|[a-z][a-z0-9]{0,2})(?:-[a-z0-9]+)*|[A-Z_]+\d{0,2}",
        word,
    )


def _value_of(text: str, name: re.Match[str], quotes: _Quotes) -> Span | None:
    """The value that belongs to a name, None where the name is a word in a sentence."""
    before = text[max(0, name.start() - LOOK_BACK) : name.start()]
    line = before.rpartition("\n")[2]
    end = name.end()
    if between := BETWEEN.match(text, end):
        start = between.end()
        certain = bool(between["pair"] or between["nested"] or "=" in between["sep"] or between["sep"].startswith("%"))
        return _whole(text, name, start, before, quotes, certain=certain)
    if (tupled := TUPLE.match(text, end)) and not OPTION_FIRST.match(text, tupled.end()):
        return _whole(text, name, tupled.end(), before, quotes, certain=True)
    if ("<" in line or "=" in line) and (tag := TAG.match(text, end)):
        stop = text.find("<", tag.end())
        return tag.end(), stop if stop >= 0 else len(text)
    if cell := CELL.match(text, end):
        return cell.end(), _first(text, "|│\n", cell.end())
    if OPTION.search(before) and (space := SPACE.match(text, end) or NEXT_ARGUMENT.match(text, end)):
        return _word(text, space.end(), quotes)
    if not name["other"] and (lines := BETWEEN_LINES.match(text, end)):
        return _whole(text, name, lines.end(), before, quotes, certain=True)
    if LOGIN.search(before + name[0] if name["alone"] else before) and (space := SPACE.match(text, end)):
        return _word(text, space.end(), quotes)
    if name["strong"] and (space := SPACE_AND_QUOTE.match(text, end)):
        return quotes.end_of(space.end())
    if said := SAID.match(text, end):
        word = PIECE.match(text, said.end()) or OPEN.match(text, said.end())
        if word and (OPEN.match(text, said.end()) or looks_secret(word[0])):
            return quotes.end_of(said.end()) or word.span()
    return None


def _whole(text: str, name: re.Match[str], start: int, before: str, quotes: _Quotes, *, certain: bool) -> Span | None:
    """The value from here on, however far it goes, unless it is plainly none."""
    if text.startswith("[redacted]", start):
        return None
    if quoted := quotes.end_of(start):
        inner = text[quoted[0] : quoted[1]]
        if _plain(inner) or (name["other"] and not looks_secret(inner)):
            return None
        return quoted
    if BLOCK.match(text, start):
        return _block(text, name.start(), start)
    stop = _end_of_line(text, start)
    value = text[start:stop]
    if IN_URL.search(before):
        stop = start + len(re.match(r"[^\s&\"'<>]*", value)[0])  # type: ignore[index]
        value = text[start:stop]
    elif keyword := LIBPQ.search(value[:LOOKED_AT]):
        stop = start + keyword.start()
        value = value[: keyword.start()]
    if not value[:LOOKED_AT].strip():
        return _next_line(text, name.start(), stop)
    value = value[:LOOKED_AT]
    if _is_no_value(name, value, certain=certain):
        return None
    if certain or OPENING.search(before) or QUOTED.search(before):
        return start, _continued(text, name.start(), stop)
    if name["strong"] and not PROSE.match(value):
        return start, stop
    return (start, stop) if any(map(looks_secret, value.split()[:8])) else None


def _is_no_value(name: re.Match[str], value: str, *, certain: bool) -> bool:
    """Whether what follows a name is a count, a word, a structure or a sentence."""
    words = value.split()
    first = words[0].strip("`'\",;").lower() if words else ""
    if name["weak"] and NUMBER.match(value):  # so many of them
        return True
    if name[0].lower() == "auth" and first in PLAIN_VALUES:  # how to log in, not with what
        return True
    if name["other"] and not any(map(looks_secret, words[:2])):
        return True
    if not certain and not name["strong"] and PROSE.match(value) and not any(map(looks_secret, words)):
        return True
    return _plain(value) or bool(STRUCTURE.match(value))


def _plain(value: str) -> bool:
    """Whether a value is one that everybody may see: a word, a reference, a path, a small number."""
    if len(value) > LOOKED_AT:
        return False
    word = value.strip().rstrip(",;.)}]\"'").strip("\"' \t").lower()
    if len(word) < 2 or word in PLAIN_VALUES:
        return True
    stripped = value.strip()
    reference = REFERENCE.match(stripped)
    if reference and not any(map(looks_secret, stripped[reference.end() :].split())):
        return reference.end() == len(stripped) or not stripped[reference.end() - 1 : reference.end() + 1].isalnum()
    return bool(PATH.fullmatch(stripped) or (NUMBER.fullmatch(stripped) and len(word) < 4))


def _word(text: str, start: int, quotes: _Quotes) -> Span | None:
    if quoted := quotes.end_of(start):
        return quoted
    match = re.compile(r"\S+").match(text, start)
    return match.span() if match and not _plain(match[0]) else None


def _first(text: str, any_of: str, start: int) -> int:
    ends = [at for at in (text.find(one, start) for one in any_of) if at >= 0]
    return min(ends, default=len(text))


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if end >= 0 else len(text)


def _indent(text: str, at: int) -> int:
    start = text.rfind("\n", max(0, at - LOOK_BACK), at) + 1 or max(0, at - LOOK_BACK)
    match = INDENT.match(text, start)
    return match.end() - start if match else 0


def _block(text: str, name: int, start: int) -> Span:
    """A YAML block scalar: the lines that are indented further than its key; the next line at least."""
    own, at = _indent(text, name), _end_of_line(text, start) + 1
    end = at
    while at < len(text) and (line := LINE.match(text, at)):
        blank = not line[0].strip()
        if not blank and end > _end_of_line(text, start) + 1 and _width(line[0]) <= own:
            break
        at = line.end()
        end = end if blank else at
    return min(_end_of_line(text, start) + 1, len(text)), max(min(end, len(text)) - 1, 0)


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _continued(text: str, name: int, stop: int) -> int:
    """To the end of a value that goes on in the next lines: after a backslash, or indented further than its key."""
    own = _indent(text, name)
    while stop < len(text) and (line := LINE.match(text, stop + 1)) and line[0].strip():
        after_backslash = text[stop - 1] == "\\"
        entry = re.match(r"\s*(?:- |[\w.\"'/-]+\s*[:=]|[^\w\s\"'+/$!#*(<>|]|[a-z]+ \w+ )", line[0])
        if not after_backslash and (_width(line[0]) <= own or entry):
            break
        stop = line.end() - line[0].endswith("\n")
    return stop


def _next_line(text: str, name: int, stop: int) -> Span | None:
    """A value in the line after its key, indented further."""
    line = LINE.match(text, stop + 1) if stop < len(text) else None
    if not line or not line[0].strip() or _width(line[0]) <= _indent(text, name):
        return None
    if re.match(r"\s*(?:- *)?[\w.\"'/-]+\s*[:=](?:\s|$)", line[0]) or _plain(line[0].strip().removeprefix("- ")):
        return None
    if PROSE.match(line[0].strip()):
        return None
    return line.start() + _width(line[0]), line.end() - line[0].endswith("\n")


class _Quotes:
    """Where quoted values end; each quote is looked for once, so that unclosed ones cost no more."""

    FARTHEST = 4096  # a quote that closes in another line, farther away, belongs to something else

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, int] = {}

    def end_of(self, start: int) -> Span | None:
        """The span of the quoted value that opens here, with what is joined to it; None where no quote opens."""
        opening = OPEN.match(self._text, start)
        if opening is None:
            return None
        begin, at = opening.end(), start
        while opening:
            close = self._close(opening["quote"], opening.end())
            line = _end_of_line(self._text, opening.end())
            if close < 0 or (close > line and close - start > self.FARTHEST):
                return begin, line
            at = close + len(opening["quote"])
            opening = OPEN.match(self._text, at)
            if opening is None and at < len(self._text) and (self._text[at].isalnum() or self._text[at] in "\\$"):
                if opening := re.compile(r"[^\s\"'`,;)}\]<]*(?P<quote>[\"'])").match(self._text, at):
                    continue
                rest = PIECE.match(self._text, at)
                return begin, rest.end() if rest else at
        return begin, close

    def _close(self, quote: str, start: int) -> int:
        known = self._next.get(quote)
        if known is not None and (known < 0 or known >= start):
            return known
        at = self._text.find(quote, start)
        while at >= 0 and self._escaped(at, start):
            at = self._text.find(quote, at + 1)
        self._next[quote] = at
        return at

    def _escaped(self, at: int, start: int) -> bool:
        count = 0
        while at - count - 1 >= start and count < 64 and self._text[at - count - 1] == "\\":
            count += 1
        return count % 2 == 1
