"""Data of any shape, with every text in it redacted, and with the values that a key calls secret hidden."""

from __future__ import annotations

import re
from typing import Any

from netdoctor.redact import HIDDEN, redact
from netdoctor.secret_forms.names import is_secret_name

NAMES_OF_SECRETS = ("secret", "secrets", "pass")  # fields that hold the name of a Secret, and a count
OPTION = re.compile(r"--?[A-Za-z][\w.-]*")
LARGEST_COUNT = 10_000_000  # of tokens and keys; what is larger is a number that was chosen for a password


def plain(value: Any) -> Any:
    """The same value with every text in it redacted, also the texts under a key that calls them secret; for json."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return _plain_mapping(value)
    if isinstance(value, (list, tuple)):
        return _plain_sequence(value)
    return value


def _plain_mapping(value: dict[Any, Any]) -> dict[str, Any]:
    """A mapping without the values of its secret keys."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        secret = _is_secret(str(key)) or (key == "value" and _names_a_secret(value))
        found[redact(str(key))] = _hidden(item) if secret else plain(item)
    return found


def _plain_sequence(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    """A list without what follows an option of a secret, as in a command line."""
    found = []
    secret = False
    for item in value:
        found.append(_hidden(item) if secret else plain(item))
        secret = _is_option_of_a_secret(item)
    return found


def _is_secret(key: str) -> bool:
    return key not in NAMES_OF_SECRETS and is_secret_name(key)


def _names_a_secret(entry: dict[Any, Any]) -> bool:
    """Whether its name calls its value a secret, as in a container's environment."""
    names = (entry.get("name"), entry.get("key"))
    return any(isinstance(name, str) and is_secret_name(name) for name in names)


def _is_option_of_a_secret(item: Any) -> bool:
    return isinstance(item, str) and bool(OPTION.fullmatch(item)) and is_secret_name(item)


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return HIDDEN if value and not OPTION.fullmatch(value) else value
    if isinstance(value, dict):
        return {redact(str(key)): _hidden(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(item) for item in value]
    if isinstance(value, int) and abs(value) >= LARGEST_COUNT:
        return HIDDEN
    return value
