"""Values that a name calls secret: in JSON, YAML, environments, ini files, flags, queries, XML and sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netdoctor.secret_forms.lines import BLOCK, LOOK_BACK, block, continued, next_line
from netdoctor.secret_forms.names import MOST, NAME, places
from netdoctor.secret_forms.plain_values import LOOKED_AT, NUMBER, PLAIN_VALUES, PROSE, is_plain, looks_secret
from netdoctor.secret_forms.quotes import PIECE, QUOTE, Quotes, end_of_line

Span = tuple[int, int]

NO_SECRET: Span = (0, 0)
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
STRUCTURE = re.compile(r"[{\[]{1,2}(?:\s*[\"']?[\w.-]{1,60}[\"']?\s*:|\s*$)")
LIBPQ = re.compile(
    r"[ \t]+(?:user|host|hostaddr|port|dbname|sslmode|connect_timeout|application_name|target_session_attrs)[ \t]?="
)
BARE_WORD = re.compile(r"\S+")
IN_QUERY = re.compile(r"[^\s&\"'<>]*")  # a parameter's value


def spans(text: str) -> Iterator[Span]:
    """Where values of secret names stand in a text."""
    quotes = Quotes(text)
    done = number = 0
    near, rest = places(text)
    for start, end in near:
        for name in NAME.finditer(text, max(start, done), end):
            number += 1
            if number > MOST:
                yield name.start(), len(text)
                return
            if name.start() < done:
                continue
            begin, stop = _value_of(text, name, quotes)
            if stop > begin:
                yield begin, stop
                done = stop
    yield rest, len(text)


@dataclass(frozen=True, slots=True)
class _Named:
    """A secret name in a text."""

    text: str
    match: re.Match[str]
    before: str  # what stands before it, as far as that is looked at
    quotes: Quotes

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.match.start()

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.match.end()


def _value_of(text: str, name: re.Match[str], quotes: Quotes) -> Span:
    """The value that belongs to a name; NO_SECRET where the name is a word in a sentence."""
    before = text[max(0, name.start() - LOOK_BACK) : name.start()]
    named = _Named(text, name, before, quotes)
    for way in WAYS:
        found = way(named)
        if found is not None:
            return found
    return NO_SECRET


def _after_separator(named: _Named) -> Span | None:
    """name: value, name=value, and the like; None where it is not so, as from each of these."""
    between = BETWEEN.match(named.text, named.end)
    if between is None:
        return None
    separator = between["sep"]
    certain = bool(between["pair"] or between["nested"] or "=" in separator or separator.startswith("%"))
    return _whole(named, between.end(), certain=certain)


def _in_tuple(named: _Named) -> Span | None:
    """("name", "value")"""
    between = TUPLE.match(named.text, named.end)
    if between is None or OPTION_FIRST.match(named.text, between.end()):
        return None
    return _whole(named, between.end(), certain=True)


def _in_tag(named: _Named) -> Span | None:
    """<name>value<, <entry key="name">value<"""
    line = named.before.rpartition("\n")[2]
    if "<" not in line and "=" not in line:
        return None
    tag = TAG.match(named.text, named.end)
    return (tag.end(), _first(named.text, "<", tag.end())) if tag else None


def _in_cell(named: _Named) -> Span | None:
    """name | value"""
    cell = CELL.match(named.text, named.end)
    return (cell.end(), _first(named.text, "|│\n", cell.end())) if cell else None


def _after_option(named: _Named) -> Span | None:
    """--name value, also as two entries of a list."""
    if not OPTION.search(named.before):
        return None
    space = SPACE.match(named.text, named.end) or NEXT_ARGUMENT.match(named.text, named.end)
    return _word(named, space.end()) if space else None


def _over_lines(named: _Named) -> Span | None:
    """The name, the separator and the value in lines of their own."""
    lines = None if named.match["other"] else BETWEEN_LINES.match(named.text, named.end)
    return _whole(named, lines.end(), certain=True) if lines else None


def _in_login(named: _Named) -> Span | None:
    """login USER password VALUE, ALTER ROLE ... PASSWORD VALUE, requirepass VALUE."""
    words = named.before + named.match[0] if named.match["alone"] else named.before
    space = SPACE.match(named.text, named.end) if LOGIN.search(words) else None
    return _word(named, space.end()) if space else None


def _quoted_behind(named: _Named) -> Span | None:
    """password "value"."""
    space = SPACE_AND_QUOTE.match(named.text, named.end) if named.match["strong"] else None
    return (named.quotes.end_of(space.end()) or NO_SECRET) if space else None


def _said(named: _Named) -> Span | None:
    """The name is value."""
    said = SAID.match(named.text, named.end)
    if said is None:
        return None
    if quoted := named.quotes.end_of(said.end()):
        return quoted
    word = PIECE.match(named.text, said.end())
    return word.span() if word and looks_secret(word[0]) else NO_SECRET


WAYS: tuple[Callable[[_Named], Span | None], ...] = (
    _after_separator,
    _in_tuple,
    _in_tag,
    _in_cell,
    _after_option,
    _over_lines,
    _in_login,
    _quoted_behind,
    _said,
)


def _whole(named: _Named, start: int, *, certain: bool) -> Span:
    """The value from here on, however far it goes; NO_SECRET where it is plainly none."""
    text = named.text
    if text.startswith("[redacted]", start):
        return NO_SECRET
    if quoted := named.quotes.end_of(start):
        return quoted if _is_quoted_secret(named.match, text[quoted[0] : quoted[1]]) else NO_SECRET
    if BLOCK.match(text, start):
        return block(text, named.start, start)
    return _unquoted(named, start, certain=certain)


def _unquoted(named: _Named, start: int, *, certain: bool) -> Span:
    """The value up to an end that no quote says; NO_SECRET where it is plainly none."""
    stop = _end_of_unquoted(named, start)
    value = named.text[start : min(stop, start + LOOKED_AT)]
    if not value.strip():
        return next_line(named.text, named.start, stop) or NO_SECRET
    if _is_no_value(named.match, value, certain=certain):
        return NO_SECRET
    if certain or OPENING.search(named.before) or QUOTED.search(named.before):
        return start, continued(named.text, named.start, stop)
    if named.match["strong"] and not PROSE.match(value):
        return start, stop
    return (start, stop) if any(map(looks_secret, value.split()[:8])) else NO_SECRET


def _is_quoted_secret(name: re.Match[str], value: str) -> bool:
    return not is_plain(value) and (not name["other"] or looks_secret(value))


def _end_of_unquoted(named: _Named, start: int) -> int:
    """The end of the line; of a URL's parameter the end of that; of a connection string the next known keyword."""
    stop = end_of_line(named.text, start)
    if IN_URL.search(named.before):
        parameter = IN_QUERY.match(named.text, start, stop)
        return parameter.end() if parameter else start
    keyword = LIBPQ.search(named.text[start : min(stop, start + LOOKED_AT)])
    return start + keyword.start() if keyword else stop


def _is_no_value(name: re.Match[str], value: str, *, certain: bool) -> bool:
    """Whether what follows a name is a count, a word, a structure or a sentence."""
    words = value.split()
    if name["weak"] and NUMBER.match(value):  # so many of them
        return True
    if name[0].lower() == "auth" and _is_plain_word(words):  # how to log in, not with what
        return True
    if name["other"] and not any(map(looks_secret, words[:2])):
        return True
    in_sentence = not certain and not name["strong"] and PROSE.match(value)
    if in_sentence and not any(map(looks_secret, words)):
        return True
    return is_plain(value) or bool(STRUCTURE.match(value))


def _is_plain_word(words: list[str]) -> bool:
    """Whether the first of these words says no secret."""
    return bool(words) and words[0].strip("`'\",;").lower() in PLAIN_VALUES


def _word(named: _Named, start: int) -> Span:
    """The word from here on, or what is in quotes."""
    if quoted := named.quotes.end_of(start):
        return quoted
    word = BARE_WORD.match(named.text, start)
    return word.span() if word and not is_plain(word[0]) else NO_SECRET


def _first(text: str, any_of: str, start: int) -> int:
    ends = [at for at in (text.find(one, start) for one in any_of) if at >= 0]
    return min(ends, default=len(text))
