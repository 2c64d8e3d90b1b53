"""Values that everybody may see, whatever their name: words, references, paths, numbers, addresses, versions."""

from __future__ import annotations

import re

LOOKED_AT = 400  # characters of a value that tell whether it is one
# why the file with such a name was not read, in the kernel's words
NOT_READ = (
    "permission denied",
    "no such file or directory",
    "not a directory",
    "is a directory",
    "operation not permitted",
    "input/output error",
    "read-only file system",
)
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
# how a sentence goes on after a name
PROSE = re.compile(
    r"[\"']?(?:not|no|is|has|have|does|do|did|cannot|can|could|failed|failure|context|"
    r"invalid|expired|error|errors|exec|the|a|an|unable|must|will|was|with|for|in|on|"
    r"of|from|to|requires|missing|wrong|unknown|it|this|that|there|at|and|or|key|keys|"
    r"[A-Z][A-Z0-9]{1,40}(?:_[A-Z0-9]{1,40}){1,8} (?:is|are|has|of|in)|"
    r"secrets (?:is|are)|Secret|Get|Post|dial|couldn't|didn't|isn't|doesn't|authentication)\b(?=[ ,.:;])"
)
# words of letters and digits that are no secret
INNOCENT = re.compile(
    "|".join(
        (
            r"(?:[0-9a-f]+-?)+",  # digests, UIDs
            r"[a-z][a-z0-9-]*/(?:[a-z]+\d{0,3}|[a-z][a-z0-9]{0,7})(?:-[a-z0-9]+)+",  # namespace/pod
            r"[a-z][a-z0-9-]*/sh\.helm\.release\.v\d+\.[a-z0-9-]+\.v\d+(?:-[a-z0-9]+)*",  # releases that Helm keeps
            r"net\.[\w./-]+",  # sysctls
            r"system:[\w:.-]+",  # Kubernetes' own users
            r"[\d.]+(?:[/:]\w+)*",  # addresses with a port or a prefix
            r"v?\d+(?:\.[\w+-]+)+",  # versions
            r"v?\d{1,4}[a-z]{0,3}",
            r"(?:\d+(?:ms|us|ns|[dhms]))+",  # times
            r"(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)?",  # names in the DNS
            r"(?:[a-z]+[\d.]*|[a-z][a-z0-9]{0,2})(?:-[a-z0-9]+)*",  # names of objects
            r"[A-Z_]+\d{0,2}",  # names of variables
        )
    )
)


def looks_secret(word: str) -> bool:
    """Whether a word of a sentence may be a secret: letters and digits together, and no address or version."""
    word = word.strip(".,:;!?()[]{}\"'`")
    letters, digits = sum(map(str.isalpha, word)), sum(map(str.isdigit, word))
    if len(word) < 8 or letters < 2 or digits < (1 if len(word) >= 16 else 2):
        return False
    if "://" in word or word.lower().startswith(("/", "sha256:", "sha256-")):
        return False
    return not INNOCENT.fullmatch(word)


def is_plain(value: str) -> bool:
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
