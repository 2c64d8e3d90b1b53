"""The steps of nftables' rules as they are dumped: read, changed, and written back with everything else as it was."""

from __future__ import annotations

from functools import lru_cache

from netdoctor.twin.wire.netlink import KIND, Attribute, attributes, by_kind, packed, text
from netdoctor.twin.wire.uapi.nf_tables import NFTA_DATA, NFTA_EXPR


def value_of(data: bytes) -> bytes:
    """The bytes in a value's attribute, b"" for a verdict."""
    return by_kind(data).get(NFTA_DATA.VALUE, b"")


def with_value(data: bytes, value: bytes) -> bytes:
    """The same attribute with another value."""
    return packed((kind, value if kind & KIND == NFTA_DATA.VALUE else old) for kind, old in attributes(data))


class Expression:
    """One step of a rule: its name and its attributes, which change."""

    def __init__(self, name: str, items: tuple[Attribute, ...]) -> None:
        self.name, self.items = name, items
        self.changed = False

    def get(self, attribute: int) -> bytes:
        """An attribute as it is, b"" where there is none."""
        return next((value for kind, value in self.items if kind & KIND == attribute), b"")

    def number(self, attribute: int) -> int:
        """An attribute as a number."""
        return int.from_bytes(self.get(attribute), "big")

    def register(self, attribute: int) -> int:
        """The register that an attribute names, as the place of its first 4 bytes; 0 for none."""
        number = self.number(attribute)
        return number - 4 if number >= 8 else 4 * number

    def value(self, attribute: int) -> bytes:
        """The bytes of a value."""
        return value_of(self.get(attribute))

    def put(self, attribute: int, value: bytes) -> None:
        """Change an attribute."""
        if value != self.get(attribute):
            self.items = tuple((kind, value if kind & KIND == attribute else old) for kind, old in self.items)
            self.changed = True

    def put_value(self, attribute: int, value: bytes) -> None:
        """Change a value."""
        self.put(attribute, with_value(self.get(attribute), value))

    @classmethod
    def read(cls, element: bytes) -> Expression:
        """From an element of a rule's list."""
        return cls(*_parsed(element))

    def written(self, element: bytes) -> bytes:
        """The element that it was read from, with what has changed."""
        if not self.changed:
            return element
        data = packed(self.items)
        return packed((kind, data if kind & KIND == NFTA_EXPR.DATA else value) for kind, value in attributes(element))


@lru_cache(4096)
def _parsed(element: bytes) -> tuple[str, tuple[Attribute, ...]]:
    """Name and attributes of an expression; a ruleset has few different ones."""
    parts = by_kind(element)
    return text(parts[NFTA_EXPR.NAME]), tuple(attributes(parts.get(NFTA_EXPR.DATA, b"")))
