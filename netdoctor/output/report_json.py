"""The report as JSON, and back. pydantic is imported here alone (and by recordings and schemas), and late."""

from __future__ import annotations

import json

from netdoctor.errors import BadInput
from netdoctor.model import Report
from netdoctor.output.json_text import as_data, json_text
from netdoctor.output.report_document import ReportDocument
from netdoctor.output.report_sections import report_document


def to_json(report: Report) -> str:
    """The report as JSON text of version 2, redacted."""
    return json_text(as_data(report_document(report)))


def from_json(text: str) -> ReportDocument:
    """A report that was written before, of version 1 or 2. Raises BadInput with one sentence."""
    from pydantic import TypeAdapter, ValidationError

    try:
        if _version(text) == 1:
            return report_document(TypeAdapter(Report).validate_json(text))
        return TypeAdapter(ReportDocument).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadInput(f"not a report of netdoctor: {where}: {first['msg']}") from error


def _version(text: str) -> object:
    """The version that a report says it has; None for what is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found.get("schema_version") if isinstance(found, dict) else None
