"""The report as JSON, and back. pydantic is imported here alone (and by recordings), and late."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from netdoctor.errors import BadInput
from netdoctor.model import Report
from netdoctor.redact import HIDDEN, redact
from netdoctor.secret_forms.named import is_secret_name

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


def to_json(report: Report) -> str:
    """The report as JSON text, redacted."""
    return json.dumps(plain(asdict(report)), indent=2, ensure_ascii=False)


def from_json(text: str) -> Report:
    """A report that was written before. Raises BadInput with one sentence."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Report).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadInput(f"not a report of netdoctor: {where}: {first['msg']}") from error


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Report).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "netdoctor report", **schema}
