"""JSON output against its schema, as the package has it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from netdoctor.output.json_schemas import stored


def valid(name: str, text: str) -> dict[str, Any]:
    """The document in this text, which follows the schema of this name."""
    found: dict[str, Any] = json.loads(text)
    _validator(name).validate(found)
    return found


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(stored(name)))
