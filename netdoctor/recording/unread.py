"""Facts that could not be read, in a recording: where, the reason in words, and why in a word for the code."""

from __future__ import annotations

import re
from typing import Any

from netdoctor.errors import CannotRead, Why

SERVER = re.compile(r"API server( \S+)?")  # with a request behind it, it did answer: with an error


def stored(error: CannotRead) -> dict[str, str]:
    """What the recording holds of it."""
    return {"source": error.source, "reason": error.reason, "why": error.why}


def replayed(entry: Any) -> CannotRead:
    """What `stored` gave, or an earlier netdoctor, or a later one that knows more words.

    Raises KeyError, TypeError where it is neither.
    """
    source, reason = str(entry["source"]), str(entry["reason"])
    if "why" not in entry:
        return CannotRead(source, reason, _by_words(source, reason))
    return CannotRead(source, reason, next((why for why in Why if why == entry["why"]), Why.FAILED))


def _by_words(source: str, reason: str) -> Why:
    """Why, in a recording of the time when its words alone told it."""
    if source == "modules":
        return Why.NO_MODULES
    if source == "test pod" and reason.startswith("no network"):
        return Why.NO_NETWORK
    return Why.NO_ANSWER if SERVER.fullmatch(source) else Why.FAILED
