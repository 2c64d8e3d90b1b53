"""The report as JSON, and back. pydantic is imported here alone (and by recordings), and late."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from netdoctor.errors import BadInput
from netdoctor.model import Report
from netdoctor.redact_data import plain


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
