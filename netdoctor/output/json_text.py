"""Documents as JSON text: what is empty is left out, texts are redacted, and what fits into a line stands in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from netdoctor.redact_data import plain

WIDTH = 120  # columns of a line


def as_data(value: Any) -> Any:
    """A document of dataclasses as plain data; a field that has its default value is left out."""
    if is_dataclass(value) and not isinstance(value, type):
        there = ((field.name, getattr(value, field.name)) for field in fields(value) if not _is_default(value, field))
        return {name: as_data(item) for name, item in there}
    if isinstance(value, dict):
        return {key: as_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_data(item) for item in value]
    return value


def json_text(value: Any) -> str:
    """Plain data as JSON text, redacted."""
    return "".join(_lines(plain(value), ""))


def _is_default(value: Any, field: Field[Any]) -> bool:
    if field.default_factory is not MISSING:
        return bool(getattr(value, field.name) == field.default_factory())
    return field.default is not MISSING and bool(getattr(value, field.name) == field.default)


def _lines(value: Any, indent: str) -> Iterator[str]:
    """The text in parts: a list or an object that is longer than a line has a line for each of its items."""
    whole = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or (indent and len(indent) + len(whole) <= WIDTH) or not value:
        yield whole
        return
    if isinstance(value, dict):
        begin, end = "{", "}"
        items = [(f"{json.dumps(key, ensure_ascii=False)}: ", item) for key, item in value.items()]
    else:
        begin, end = "[", "]"
        items = [("", item) for item in value]
    for number, (key, item) in enumerate(items):
        yield f"{',' if number else begin}\n{indent} {key}"
        yield from _lines(item, f"{indent} ")
    yield f"\n{indent}{end}"
