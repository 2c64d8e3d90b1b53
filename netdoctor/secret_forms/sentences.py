"""Secrets in sentences and in lines of files: beside a word that calls them secret, or at the place that is theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from netdoctor.secret_forms.names import is_secret_name
from netdoctor.secret_forms.patterns import Hints, LatePattern
from netdoctor.secret_forms.plain_values import looks_secret

Span = tuple[int, int]

LINE = 200  # characters before a word that tell what line it is in
MOST = 5000  # places in one text; what has more is no report, and its rest is hidden
WORD = r"[\"'`(\[<{]{0,3}(?P<value>[^\s\"'`)\]>}]{4,200})"
# a password beside the word; a blank, a bracket, a sign or a name is between them, and `password-reset-x2x9k` is a pod
BESIDE = LatePattern(
    r"(?i)(?:passw(?:or)?d|passphrase|rcon_password|requirepass|community|rootpw|(?:auth|become|priv)_?pass|(?<![a-z])psk|(?<![a-z])pw)"
    r"(?:[ \t]+(?:for|of)(?:[ \t]+(?:user|role))?[ \t]+(?:'[^'\n]{1,80}'|[^\s:=]{1,80})|[ \t]+\d(?=[ \t])"
    r"|[ \t]+\([^()\n]{1,30}\))?"
    rf"(?:[ \t]*(?:[:;,=~\u2013\u2014\u2026]|\.{{3,80}}|-(?=[ \t]))[ \t]*|[ \t]+|(?=[\"'`(\[<{{])){WORD}"
)
# the password that was typed or printed in the line below
BELOW = LatePattern(
    r"(?m)(?:(?i:passw(?:or)?d|passphrase)|(?i:[a-z0-9]_(?:key|token|secret|pass))|/token)[\"')}?:]{0,3}[ \t]*\n"
    r"[ \t]*(?P<value>[^\s/]{8,200})(?=[ \t]|$)"
)
# a token beside the word, before or after
NAMED = LatePattern(
    r"(?i)\b(?:tokens?|secrets?|credentials?|(?:api|access|private|master|module|auth)[ _-]?keys?|keys?|jwts?)"
    rf"(?:[ \t]+(?:provided|given|used|supplied|received|sent|value))?[ \t]*:?[ \t]+{WORD}"
)
CALLED = LatePattern(rf"(?i)\b(?:tokens?|secrets?|passw(?:or)?d|credentials?|api[ _-]?keys?)[ \t]*\({WORD}")
BY = LatePattern(r"(?i)\bidentified\s+(?:with\s+\S{1,40}\s+)?(?:by|as)\s+(?:password\s+)?[\"'](?P<value>[^\"'\n]+)")
ACL = LatePattern(r"\b(?:user|SETUSER)\s+\S{1,64}\s+(?:on|off)\s[^\n]{0,80}?[>#<](?P<value>\S+)")
IN_QUERY = LatePattern(r"[?&](?:key|code|k)=(?P<value>[^\s&#\"'<>]{8,})")
WITHOUT_SCHEME = LatePattern(r"(?<![:\w/])//[^\s/@:\"']{0,64}:(?P<value>[^\s@/\"']{1,200})@")
ORACLE = LatePattern(r"(?<![\w./-])\w{1,30}/(?P<value>[\w#$!.-]{4,100})@(?=\w)(?!sha\d{3}:)")
# Oracle's easy connect string, `user/password@//host:1521/service`: nothing else has @//
EASY_CONNECT = LatePattern(r"(?<![\w./-])[\w.]{1,30}/(?P<value>[^\s/@\"']{1,100})@(?=//\w)")
LISTED = LatePattern(
    r"(?im)^(?P<indent>[ \t]*+)[^\n:]{0,60}(?:passw(?:or)?d|passphrase|token|secret)s?[\"']?:[ \t]*\n"
    r"(?P<value>(?:(?P=indent)[ \t]*- [^\n]*\n?){1,200})"
)
EXPLICIT = LatePattern(
    r"(?i)\? [\"']?[\w.-]{0,40}(?:passw(?:or)?d|token|secret|key)[\"']?[ \t]*\n[ \t]*:[ \t]+(?P<value>[^\n]+)"
)
DOCKER = LatePattern(r"(?i)\.?dockerc(?:onfigjson|fg)[\"']?[ \t]*[:=][ \t]*[\"']?(?P<value>[\w+/=-]{8,})")
# `Secret namespace/name`, as Kubernetes and netdoctor write it: the suffix of kustomize's names is a hash
OBJECT = re.compile(
    r"\bSecrets?[ \t]+[\"']?(?P<value>[a-z][a-z0-9-]{0,62}/(?:[a-z]{1,40}\d{0,3}|[a-z][a-z0-9]{0,7})"
    r"(?:[.-][a-z0-9]{1,60}){0,20})(?![\w/+=.-])"
)
# `login app/password`, `authentication failed for app:password`: a name and what is behind the colon
LOGIN = LatePattern(
    r"(?i)\b(?:auth(?:enticat\w{1,5}|oriz\w{1,6})?|log[io]n|credentials?|user|role|denied|chpasswd)\b[^\n]{0,40}?(?<![^\s\"'(\[])"
    r"[a-z_][\w.-]{0,40}[:/](?P<value>[^\s\"'`)\]},;:/]{8,200})(?![:/])"
)
# a login method of pg_hba.conf takes options, and each has a name; this has none
HBA = LatePattern(r"\b(?:md5|password|scram-sha-256|ldap|radius)[ \t]+(?P<value>[^\s#=\"]{8,200})")
HBA_LINE = re.compile(r"\b(?:host(?:no)?(?:ssl|gssenc)?|local|pg_hba)\b[^\n]*\Z")
PGPASS = LatePattern(
    r"(?<![\w:.-])[\w.*-]{1,100}:(?:\d{1,5}|\*):(?:[\w-]{1,63}|\*):(?:[\w-]{1,63}|\*):(?P<value>[^\s:\"']{8,200})"
)
USERLIST = LatePattern(r"(?m)^[ \t]*\"[\w.-]{1,63}\"[ \t]+\"(?P<value>[^\"\n]{8,200})\"")
# a directive with a user and a password, as CoreDNS's plugins etcd and route53 have it
DIRECTIVE = LatePattern(
    r"\b(?:credentials|aws_access_key|basic_?auth|auth)[ \t]+(?:\{[ \t]*)?(?:user[ \t]+)?"
    r"[^\s{}]{1,100}[ \t]+(?P<value>[^\s{}]{8,200})"
)
REDIS = LatePattern(r"\bAUTH[ \t]+(?:default[ \t]+|PLAIN[ \t]+|LOGIN[ \t]+)?(?P<value>[^\s\"']{8,200})")
SET = LatePattern(
    r"\b(?:set|setenv|ENV|ARG|export)[ \t]+(?:-\w+[ \t]+){0,3}\w{0,60}(?:KEY|TOKEN|SECRET|PASS|PASSWORD)[ \t]+"
    r"[\"']?(?P<value>[^\s\"']{8,200})"
)
DIRECTIVE_OF_ONE = LatePattern(r"\b(?:tsigsecret|tls_token|wpa-psk|storepass|keypass)[ \t]+(?P<value>\S{4,200})")
IPSEC = LatePattern(r"\b(?:PSK|XAUTH|EAP)[ \t]+\"(?P<value>[^\"\n]+)\"")
XFRM = LatePattern(r"\w\([\w()-]{1,40}\)[ \t]+(?P<value>(?:0x)?[0-9a-fA-F]{16,})")
CERTIFICATE_KEY = LatePattern(r"(?i)certificate[ -]key[: ]\s{0,20}(?P<value>[0-9a-f]{32,})")
# an object of JSON or YAML that has its value before its name
VALUE_FIRST = LatePattern(
    r"\bvalue[\"']?[ \t]?:[ \t]?(?:[\"'](?=[^\n\"']{1,400}+[\"'])|(?=[^\n\"',{}]{1,100}+\n))(?P<value>[^\n\"']{1,400}+)"
    r"[\"']?(?:,\s{0,40}+|\s{1,40}+)[\"']?(?:name|key)[\"']?[ \t]?:[ \t]?[\"']?(?P<name>[\w.-]{1,100})"
)
# what programs say of a password: LiteLLM of a key, libpq and Go of a URL whose password was not escaped, pydantic
RECEIVED = LatePattern(r"\bReceived=(?P<value>[^\s,]{4,}),? expected to start with")
AS_HOST = LatePattern(
    r"(?i)\b(?:host ?name|lookup|invalid port(?: number)?):?[ \t]+[\"'`]?(?P<value>[^\s\"'`@]{1,200})"
    r"@(?!if\d|tty|sha\d{3}:)(?=\w)"
)
SPACED = LatePattern(
    r"(?:postgres(?:ql)?|mysql|mariadb|redis|mongodb|amqps?)(?:\+\w{1,20})?://[^\s:@/\"']{0,64}:"
    r"(?!\d{1,5}[\s/])(?P<value>[^\"'\n@/\s]{1,200}[ \t][^\"'\n@]{0,200})@"
)
AS_PORT = LatePattern(
    r"(?i)(?:invalid (?:integer value|port(?: number)?):?|cast to integer value as)[ \t]+[\"'`]:?"
    r"(?![a-z-]{1,15}[\"'`])(?=[^\"'`\n]{0,200}?[a-z])(?P<value>[^\"'`\n]{8,200})"
)
QUOTED = LatePattern(r"(?i)\b(?:header(?: field)?|percent-encoded) value:?[ \t]+b?[\"'](?P<value>[^\"'\n]{4,400})")
INPUT = LatePattern(
    r"(?:\binput_value=|missing \"=\" after |invalid connection option |\bbase 10: )[\"'](?P<value>[^\"'\n]{8,400})"
)


class Form(NamedTuple):
    """Where a secret is: words of which one is in each such text, the pattern, whether its value has to look odd."""

    words: str
    pattern: LatePattern
    odd: bool = True


FORMS = (
    Form("identified", BY, odd=False),
    Form("user", ACL, odd=False),
    Form("?key= &key= ?code= &code= ?k= &k=", IN_QUERY, odd=False),
    Form("//", WITHOUT_SCHEME, odd=False),
    Form("@//", EASY_CONNECT, odd=False),
    Form("passw passphrase token secret", LISTED, odd=False),
    Form("?", EXPLICIT, odd=False),
    Form("dockerc", DOCKER, odd=False),
    Form("tsigsecret tls_token wpa-psk storepass keypass", DIRECTIVE_OF_ONE, odd=False),
    Form("psk xauth eap", IPSEC, odd=False),
    Form(") ", XFRM, odd=False),
    Form("certificate", CERTIFICATE_KEY, odd=False),
    Form("value", VALUE_FIRST, odd=False),
    Form("received=", RECEIVED, odd=False),
    Form("lookup name port", AS_HOST, odd=False),
    Form("invalid cast", AS_PORT, odd=False),
    Form("header percent", QUOTED, odd=False),
    Form("://", SPACED, odd=False),
    Form("passw passphrase pass community psk pw", BESIDE),
    Form("passw passphrase _ /token", BELOW),
    Form("token secret credential key jwt", NAMED),
    Form("token secret passw credential key", CALLED),
    Form("/", ORACLE),
    Form("auth log credential user role denied chpasswd", LOGIN),
    Form("auth", REDIS),
    Form("md5 password scram ldap radius", HBA),
    Form(":", PGPASS),
    Form('"', USERLIST),
    Form("credentials access_key auth", DIRECTIVE),
    Form("set env arg export", SET),
    Form("input_value missing invalid base", INPUT),
)
HINTS = Hints([form.words.split() for form in FORMS])


def spans(text: str) -> Iterator[Span]:
    """Where such secrets stand in a text."""
    objects = {match.start("value") for match in OBJECT.finditer(text)}
    lower = text.lower()
    for place in HINTS.found_in(lower):
        form = FORMS[place]
        for number, match in enumerate(form.pattern.finditer(text)):
            if number > MOST:
                yield match.start(), len(text)
                break
            if _is_secret(text, form, match, objects):
                yield match.span("value")


def _is_secret(text: str, form: Form, match: re.Match[str], objects: set[int]) -> bool:
    """Whether what a pattern found is not a name, not a word and nothing that was hidden before."""
    value = match["value"]
    if "[redacted]" in value:
        return False
    if form.pattern is VALUE_FIRST:
        return is_secret_name(match["name"])
    if form.pattern is HBA and not HBA_LINE.search(text[max(0, match.start() - LINE) : match.start()]):
        return False
    return not form.odd or (match.start("value") not in objects and looks_secret(value))
