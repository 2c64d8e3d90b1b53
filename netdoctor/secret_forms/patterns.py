"""Many patterns, of which a run needs few: which of them a text may hold, and each compiled when it is first used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property


class LatePattern:
    """A regular expression that is compiled when a text is first searched for it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """As `re` has it."""
        return re.compile(self.pattern)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Each match in the text."""
        return self.compiled.finditer(text)


class Hints:
    """The words of some forms; `found_in` tells the forms by their places, in order."""

    def __init__(self, words_of_forms: Iterable[Sequence[str]]) -> None:
        self._places: dict[str, list[int]] = {}
        for place, words in enumerate(words_of_forms):
            for word in words:
                self._places.setdefault(word, []).append(place)

    def found_in(self, text: str) -> list[int]:
        """The places of the forms of which a word is in the text."""
        found: set[int] = set()
        for word, places in self._places.items():
            if word in text:
                found.update(places)
        return sorted(found)
