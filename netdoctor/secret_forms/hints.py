"""Which of many forms a text may hold: each has words of which one is in every such secret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
