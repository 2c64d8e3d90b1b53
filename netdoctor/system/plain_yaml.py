"""YAML that a stranger may have written: an alias is fine, a text that unfolds to millions of values is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

TOO_MANY, NO_VALUE = "it unfolds to too many values", "it holds an invalid value"
TWO = "it holds more than one document"
OURS = (TOO_MANY, NO_VALUE, TWO)  # all that this module says itself
LARGEST = 1_000_000  # values of a document, with each alias counted as all that it stands for


def load_all(text: str, largest: int = LARGEST) -> Iterator[Any]:
    """The documents of a stream. Raises yaml.YAMLError, ValueError, RecursionError."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            if _weight(node, {}) > largest:
                raise yaml.YAMLError(TOO_MANY)
            yield loader.construct_document(node)
    except (TypeError, OverflowError, AttributeError, LookupError) as error:  # a key that is a list, no date, no truth
        raise yaml.YAMLError(NO_VALUE) from error
    finally:
        loader.dispose()


def load(text: str, largest: int = LARGEST) -> Any:
    """The one document of a text, None for none. Raises yaml.YAMLError, ValueError, RecursionError."""
    documents = list(load_all(text, largest))
    if len(documents) > 1:
        raise yaml.YAMLError(TWO)
    return documents[0] if documents else None


def trouble(error: Exception) -> str:
    """What is wrong with a text that was refused, by its line: nothing of the text is in it, which may be a secret."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return f"line {mark.line + 1}" if mark else "it cannot be read"
    if isinstance(error, yaml.reader.ReaderError):
        return "it holds a character that YAML does not allow"
    if isinstance(error, RecursionError):
        return "it is too deep"
    if isinstance(error, UnicodeError):
        return "it is not UTF-8 text"
    return str(error) if type(error) is yaml.YAMLError and str(error) in OURS else NO_VALUE


def _weight(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for. Raises RecursionError for one that holds itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_weight(part, known) for part in parts)
    return known[id(node)]
