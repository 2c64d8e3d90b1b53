"""Secrets in command lines: behind a program's option, piped into a program, given as an argument of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netdoctor.secret_forms.patterns import LatePattern

Span = tuple[int, int]

# options that give a password, by the program; one that takes user:password gives what is behind the colon
PROGRAM = re.compile(
    r"\b(?P<name>mysql(?:dump|admin)?|mariadb(?:-dump)?|sshpass|curl|redis-cli|valkey-cli|"
    r"(?:docker|podman|nerdctl|helm registry|crane|skopeo|oc) login|ldap[a-z]{3,8}|smbclient|htpasswd|mongosh?|"
    r"mongodump|http|openssl|kubectl|vault|etcdctl|useradd|usermod|zip|7z|dig|nsupdate)\b(?P<rest>[^\n;|]{0,400})"
)
USER_AND_PASSWORD = r"[\s=]?[\"']?[^\s:\"']{0,64}:(?P<value>[^\s\"']+)"
OPTIONS = {
    "mysql": r"\s-p(?P<value>[^\s\"']+)",
    "mariadb": r"\s-p(?P<value>[^\s\"']+)",
    "sshpass": r"\s-p\s?[\"']?(?P<value>[^\s\"']+)",
    "curl": rf"\s(?:-[a-zA-Z]{{0,5}}u|--(?:proxy-)?user|-U){USER_AND_PASSWORD}",
    "redis-cli": r"\s(?:-a|--pass)\s?[\"']?(?P<value>[^\s\"']+)",
    "valkey-cli": r"\s(?:-a|--pass)\s?[\"']?(?P<value>[^\s\"']+)",
    "ldap": r"\s-w\s?[\"']?(?P<value>[^\s\"']+)",
    "smbclient": r"\s-U\s?[\"']?[^\s%\"']{0,64}%(?P<value>[^\s\"']+)",
    "mongo": r"\s-p\s?[\"']?(?P<value>[^\s\"']+)",
    "http": r"\s-a\s?[\"']?[^\s:\"']{0,64}:(?P<value>[^\s\"']+)",
    "openssl": r"(?:\bpass:|\s-[kK]\s)(?P<value>[^\s\"']{4,})",
    "login": r"\s-p\s?[\"']?(?P<value>[^\s\"']+)",
    "htpasswd": r"\s-[a-zA-Z]*b[a-zA-Z]*\s+\S+\s+\S+\s+(?P<value>\S+)",
    "kubectl": r"\s--from-literal[\s=][\"']?[\w.-]{1,100}=(?P<value>[^\s\"']+)",
    "vault": r"(?:\slogin\s|\s(?:kv put|write)\s[^\n]{1,200}?\s[\w-]{1,60}=)(?P<value>[^\s\"'-][^\s\"']*)",
    "etcdctl": rf"\s--user{USER_AND_PASSWORD}",
    "useradd": r"\s(?:-p|--password)\s(?P<value>\S+)",
    "usermod": r"\s(?:-p|--password)\s(?P<value>\S+)",
    "zip": r"\s-P\s(?P<value>\S+)",
    "dig": r"\s-y\s?[\"']?[^\s:]{1,64}:(?:[^\s:]{1,64}:)?(?P<value>[^\s\"']+)",
    "nsupdate": r"\s-y\s?[\"']?[^\s:]{1,64}:(?:[^\s:]{1,64}:)?(?P<value>[^\s\"']+)",
    "7z": r"\s-p(?P<value>\S+)",
}
GIVEN = {name: LatePattern(pattern) for name, pattern in OPTIONS.items()}
PIPED = LatePattern(
    r"\b(?:echo|printf)[ \t]+(?:-\w+[ \t]+)?[\"']?(?P<value>[^\s\"'|]{4,200})[\"']?[ \t]*\|"
    r"(?=[^\n|]{0,100}(?:--password-stdin|--stdin|\bsudo -S|\bchpasswd)\b)"
)


def spans(text: str) -> Iterator[Span]:
    """Where a command line of a text holds a secret."""
    for program in PROGRAM.finditer(text):
        name = program["name"].partition(" ")[0] if not program["name"].endswith("login") else "login"
        pattern = next((GIVEN[known] for known in GIVEN if name.startswith(known)), None)
        for option in pattern.finditer(program["rest"]) if pattern else ():
            start = program.start("rest")
            yield start + option.start("value"), start + option.end("value")
    if "|" in text:
        yield from (match.span("value") for match in PIPED.finditer(text))
