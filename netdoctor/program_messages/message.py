"""What an entry is, and how it is found in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from netdoctor.redact import excerpt

LONGEST = 240  # characters of somebody else's text in a sentence
UNFILLED = re.compile(r" ?\{\d\}")


class Kind(IntEnum):
    """What keeps a pod from getting ready, most telling first: where pods fail for several reasons, it is named."""

    NOT_SCHEDULED = 0
    IMAGE = 1
    CONFIG = 2  # a Secret, a ConfigMap or a volume that the kubelet wants is not there
    OOM = 3
    KEY = 4
    GATEWAY_CONFIG = 5
    DATABASE = 6
    PROBE = 7
    CRASH = 8
    NETWORK = 9  # a consequence: what breaks the network is for `netdoctor check` to say
    STARTING = 10  # nothing is wrong yet


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a program. `{1}` in `means` is what the pattern's first group holds."""

    pattern: str
    means: str
    source: str  # a page that shows it
    cause: str = ""  # the probe that judges it, "" where none does
    kind: Kind = Kind.CRASH
    lasting: bool = False  # whether waiting longer cannot help
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the pattern once."""
        object.__setattr__(self, "compiled", re.compile(self.pattern, re.IGNORECASE | re.DOTALL))


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message in a text: which, the words that its pattern holds, and what they mean."""

    message: Message
    said: str
    means: str
    groups: tuple[str, ...]


def find(text: str, messages: Iterable[Message]) -> FoundMessage | None:
    """The first of these messages that a text holds; None where it holds none. Nothing else of the text is kept."""
    for message in messages:
        match = message.compiled.search(text)
        if match:
            groups = tuple(excerpt(group or "", LONGEST) for group in match.groups())
            return FoundMessage(message, excerpt(match[0], LONGEST), _filled(message.means, groups), groups)
    return None


def _filled(means: str, groups: tuple[str, ...]) -> str:
    """The sentence with what was found in it; a gap for which nothing was found is closed."""
    for number, group in enumerate(groups, 1):
        if group:
            means = means.replace(f"{{{number}}}", group)
    return " ".join(UNFILLED.sub("", means).split())
