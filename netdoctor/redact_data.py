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
        named = any(isinstance(value.get(key), str) and is_secret_name(value[key]) for key in ("name", "key"))
        return {
            redact(str(key)): _hidden(item) if _is_secret(str(key)) or (named and key == "value") else plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        options = [isinstance(item, str) and bool(OPTION.fullmatch(item)) and is_secret_name(item) for item in value]
        return [
            _hidden(item) if before else plain(item) for before, item in zip([False, *options], value, strict=False)
        ]
    return value


def _is_secret(key: str) -> bool:
    return key not in NAMES_OF_SECRETS and is_secret_name(key)


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
