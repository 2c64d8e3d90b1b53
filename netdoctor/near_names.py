"""Which names somebody may have meant who has mistyped one."""

from __future__ import annotations

from collections.abc import Iterable

NEAR = 0.65  # of 1: from here on two names are near; fxi is to fix
MOST = 3


def near_names(word: str, names: Iterable[str], near: float = NEAR) -> list[str]:
    """The names that are written nearly as a word is, the nearest first, at most MOST; capitals count for nothing."""
    from difflib import get_close_matches  # late: a page of help needs none of it

    lower = {name.lower(): name for name in names}
    return [lower[found] for found in get_close_matches(word.lower(), lower, n=MOST, cutoff=near)]
