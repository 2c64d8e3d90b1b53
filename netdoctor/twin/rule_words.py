"""Rules as a person reads them: without what only the machine needs."""

from __future__ import annotations

import re

COMMENT = re.compile(r'(?:--comment|(?<!-m )(?<!-)\bcomment) ("(?:[^"\\]|\\.)*"|\S+)')
NOISE = re.compile(
    r'^-A \S+ |-m comment (?=--comment)|--comment (?:"(?:[^"\\]|\\.)*"|\S+) ?|-m (?:tcp|udp|comment) |'
    r' ?(?<!-)\bcomment "(?:[^"\\]|\\.)*"'
)
UNREADABLE = "its text cannot be read"  # nft shows nothing of an extension that it does not know
OF_CNI = re.compile(r'name: \\?"')


def comment_of(text: str) -> str:
    """A rule's comment, "" where it has none."""
    found = COMMENT.search(text)
    return found[1].strip('"') if found else ""


def rule_words(text: str) -> str:
    """A rule without its chain, its comment and matches that say nothing."""
    return " ".join(NOISE.sub("", text).split())


def purpose(text: str) -> str:
    """What a rule is for, by its comment; the CNI's only names a container."""
    comment = comment_of(text)
    return "" if OF_CNI.match(comment) else comment
