"""What a line of a journal can hold: words, times, and changes as data."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Any, TypeVar

from netdoctor.changes import is_of_netdoctor, kinds
from netdoctor.errors import NetdoctorError
from netdoctor.model import Change

LATEST = 1e11  # seconds since 1970
Word = TypeVar("Word", bound=StrEnum)


class NoRecord(ValueError):
    """What is wrong with a line, in words."""


def in_words(error: Exception) -> str:
    """What is wrong with a line, without the names of Python's errors."""
    if isinstance(error, NoRecord):
        return str(error).splitlines()[0]
    if isinstance(error, (json.JSONDecodeError, UnicodeError, RecursionError)):
        return "the line is damaged: it is not JSON"
    return "the line is damaged: it is not a netdoctor record"


def time_of(at: object) -> float:
    """Seconds since 1970, as a line has them. Raises NoRecord."""
    if type(at) not in (int, float) or not 0 <= at < LATEST:  # type: ignore[operator]
        raise NoRecord("the time in it is not a time")
    return float(at)  # type: ignore[arg-type]


def word_of(kind: type[Word], word: object) -> Word:
    """The member of an enum that a line names. Raises NoRecord."""
    try:
        return kind(str(word))
    except ValueError as error:
        raise NoRecord(f"{str(word)!r:.40} is not a state of a run or a change") from error


def fields_of(change: Change) -> dict[str, Any]:
    """A change's fields as JSON holds them."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(change)))  # type: ignore[call-overload]
    return plain


def rebuild(kind: str, fields: Any) -> Change:
    """A change from its kind and fields, strictly. Raises ValueError for what is not exactly one."""
    from pydantic import TypeAdapter, ValidationError

    if kind not in kinds():
        raise NoRecord(f"an unknown kind of change: {kind}")
    try:
        change: Change = TypeAdapter(kinds()[kind]).validate_json(json.dumps(fields), strict=True)
    except (ValidationError, NetdoctorError) as error:
        raise NoRecord(f"no change of kind {kind}") from error
    whole = fields_of(change)
    if any(name not in whole or whole[name] != value for name, value in fields.items()):
        raise NoRecord(f"no change of kind {kind}: fields that it does not have")
    if not is_of_netdoctor(change):
        raise NoRecord(f"no remedy makes this change of kind {kind}")
    return change
