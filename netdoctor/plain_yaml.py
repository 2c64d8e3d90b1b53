"""YAML that a stranger may have written: an alias is fine, a text that unfolds to millions of values is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

LARGEST = 1_000_000  # values of a document, with each alias counted as all that it stands for


def load_all(text: str, largest: int = LARGEST) -> Iterator[Any]:
    """The documents of a stream. Raises yaml.YAMLError, ValueError, RecursionError."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            if _weight(node, {}) > largest:
                raise yaml.YAMLError("it unfolds to too many values")
            yield loader.construct_document(node)
    except (TypeError, OverflowError, AttributeError) as error:  # a key that is a list, a date that is none
        raise yaml.YAMLError("it holds a value that is none") from error
    finally:
        loader.dispose()


def load(text: str, largest: int = LARGEST) -> Any:
    """The one document of a text, None for none. Raises yaml.YAMLError, ValueError, RecursionError."""
    documents = list(load_all(text, largest))
    if len(documents) > 1:
        raise yaml.YAMLError("it holds more than one document")
    return documents[0] if documents else None


def place_of(error: Exception) -> str:
    """Where a text is no YAML: ", line 7"; never the words that stand there, which may be anybody's password."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return f", line {mark.line + 1}" if mark is not None else ""


def _weight(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for. Raises RecursionError for one that holds itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_weight(part, known) for part in parts)
    return known[id(node)]
