"""Secrets in command lines and in sentences: after a program's option, or beside a word that calls them secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netdoctor.secret_forms.named import looks_secret

Span = tuple[int, int]

MOST = 5000  # places in one text; what has more is no report, and its rest is hidden
WORD = r"[\"'`(\[<{]{0,3}(?P<value>[^\s\"'`)\]>}]{4,200})"
# options that give a password, by the program; one that takes user:password gives what is behind the colon
PROGRAM = re.compile(
    r"\b(?P<name>mysql(?:dump|admin)?|mariadb(?:-dump)?|sshpass|curl|redis-cli|valkey-cli|"
    r"(?:docker|podman|nerdctl|helm registry|crane|skopeo) login|ldap[a-z]{3,8}|smbclient|htpasswd|mongosh?|mongodump|"
    r"http|openssl)\b(?P<rest>[^\n;|]{0,400})"
)
OPTIONS = {
    "mysql": r"\s-p(?P<value>[^\s\"']+)",
    "mariadb": r"\s-p(?P<value>[^\s\"']+)",
    "sshpass": r"\s-p\s?[\"']?(?P<value>[^\s\"']+)",
    "curl": r"\s(?:-[a-zA-Z]{0,5}u|--(?:proxy-)?user|-U)[\s=]?[\"']?[^\s:\"']{0,64}:(?P<value>[^\s\"']+)",
    "redis-cli": r"\s(?:-a|--pass)\s?[\"']?(?P<value>[^\s\"']+)",
    "valkey-cli": r"\s(?:-a|--pass)\s?[\"']?(?P<value>[^\s\"']+)",
    "ldap": r"\s-w\s?[\"']?(?P<value>[^\s\"']+)",
    "smbclient": r"\s-U\s?[\"']?[^\s%\"']{0,64}%(?P<value>[^\s\"']+)",
    "mongo": r"\s-p\s?[\"']?(?P<value>[^\s\"']+)",
    "http": r"\s-a\s?[\"']?[^\s:\"']{0,64}:(?P<value>[^\s\"']+)",
    "openssl": r"\bpass:(?P<value>[^\s\"']{4,})",
    "login": r"\s-p\s?[\"']?(?P<value>[^\s\"']+)",
    "htpasswd": r"\s-[a-zA-Z]*b[a-zA-Z]*\s+\S+\s+\S+\s+(?P<value>\S+)",
}
GIVEN = {name: re.compile(pattern) for name, pattern in OPTIONS.items()}
# a password beside the word; a blank, a bracket, a semicolon or a name is between them
BESIDE = re.compile(
    r"(?i)(?:passw(?:or)?d|passphrase|rcon_password|requirepass|community)(?:[ \t]+for[ \t]+[^\s:]{1,80})?"
    rf"[ \t]*[:;]?[ \t]*{WORD}"
)
# a token beside the word, before or after
NAMED = re.compile(
    r"(?i)\b(?:tokens?|secrets?|credentials?|(?:api|access|private|master|module|auth)[ _-]?keys?|keys?)"
    rf"(?:[ \t]+(?:provided|given|used|supplied|received|sent|value))?[ \t]*:?[ \t]+{WORD}"
)
CALLED = re.compile(rf"(?i)\b(?:tokens?|secrets?|passw(?:or)?d|credentials?|api[ _-]?keys?)[ \t]*\({WORD}")
BY = re.compile(r"(?i)\bidentified\s+(?:with\s+\S{1,40}\s+)?(?:by|as)\s+(?:password\s+)?[\"'](?P<value>[^\"'\n]+)")
ACL = re.compile(r"\buser\s+\S{1,64}\s+(?:on|off)\s[^\n]{0,80}?[>#<](?P<value>\S+)")
IN_QUERY = re.compile(r"[?&](?:key|code|k)=(?P<value>[^\s&#\"'<>]{8,})")
WITHOUT_SCHEME = re.compile(r"(?<![:\w/])//[^\s/@:\"']{0,64}:(?P<value>[^\s@/\"']{1,200})@")
ORACLE = re.compile(r"(?<![\w./-])\w{1,30}/(?P<value>[\w#$!.-]{4,100})@(?=(?://)?\w)(?!sha\d{3}:)")
LISTED = re.compile(
    r"(?im)^(?P<indent>[ \t]*+)[^\n:]{0,60}(?:passw(?:or)?d|passphrase|token|secret)s?[\"']?:[ \t]*\n"
    r"(?P<value>(?:(?P=indent)[ \t]*- [^\n]*\n?){1,200})"
)
EXPLICIT = re.compile(
    r"(?i)\? [\"']?[\w.-]{0,40}(?:passw(?:or)?d|token|secret|key)[\"']?[ \t]*\n[ \t]*:[ \t]+(?P<value>[^\n]+)"
)
DOCKER = re.compile(r"(?i)\.?dockerc(?:onfigjson|fg)[\"']?[ \t]*[:=][ \t]*[\"']?(?P<value>[\w+/=-]{8,})")
# `Secret namespace/name`, as Kubernetes and netdoctor write it: the suffix of kustomize's names is a hash
OBJECT = re.compile(r"\bSecrets?[ \t]+[\"']?(?P<value>[a-z][a-z0-9-]{0,62}/[a-z][a-z0-9.-]{0,252})(?![\w/+=])")
CERTAIN = (BY, ACL, IN_QUERY, WITHOUT_SCHEME, LISTED, EXPLICIT, DOCKER)
PERHAPS = (BESIDE, NAMED, CALLED, ORACLE)


def spans(text: str) -> Iterator[Span]:
    """Where such secrets stand in a text."""
    for program in PROGRAM.finditer(text):
        name = program["name"].partition(" ")[0] if not program["name"].endswith("login") else "login"
        pattern = next((GIVEN[known] for known in GIVEN if name.startswith(known)), None)
        for option in pattern.finditer(program["rest"]) if pattern else ():
            start = program.start("rest")
            yield start + option.start("value"), start + option.end("value")
    objects = {match.start("value") for match in OBJECT.finditer(text)}
    for pattern in (*CERTAIN, *PERHAPS):
        for number, match in enumerate(pattern.finditer(text)):
            if number > MOST:
                yield match.start(), len(text)
                break
            value = match["value"]
            named = match.start("value") in objects or not looks_secret(value)
            if "[redacted]" in value or (pattern in PERHAPS and named):
                continue
            yield match.span("value")
