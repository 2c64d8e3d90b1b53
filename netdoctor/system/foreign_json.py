"""JSON of a stranger's: its size, its depth and the number of its values are known before it is taken apart."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, NoReturn

from netdoctor.errors import BadInput

LARGEST = 64 << 20  # bytes; of a node with 10,000 Services 30 MB
MOST_VALUES = 2_000_000  # objects, lists and members, each of which takes 60 to 230 bytes; that node has 600,000
DEEPEST = 40
LONGEST_NUMBER = 20  # digits
LEADS_TO_HALF_A_LETTER = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(data: bytes) -> Any:
    """The value. Raises BadInput with one sentence."""
    if len(data) > LARGEST:
        raise BadInput(f"not a netdoctor recording: {len(data) >> 20} MB, and the largest that is read has 64 MB")
    if not data.strip():
        raise BadInput("not a netdoctor recording: it is empty")
    if (values := data.count(b",") + data.count(b"{") + data.count(b"[")) > MOST_VALUES:
        raise BadInput(f"not a netdoctor recording: {values} values in it, and no more than {MOST_VALUES} are read")
    try:
        text = data.decode("utf-8-sig")
        _measure_depth(data)
        found = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_number, parse_int=_integer, parse_float=_fraction
        )
        if LEADS_TO_HALF_A_LETTER.search(data):
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise BadInput("not a netdoctor recording: not UTF-8 text") from error
    except UnicodeEncodeError as error:
        raise BadInput("not a netdoctor recording: it holds half a character") from error
    except json.JSONDecodeError as error:
        raise BadInput(f"not a netdoctor recording: not JSON that can be read: line {error.lineno}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not a netdoctor recording: not JSON that can be read: {_reason(error)}") from error
    return found


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] if isinstance(error, ValueError) else "it is too deep"


def _measure_depth(data: bytes) -> None:
    """Raise ValueError where lists and objects lie too deep in each other; brackets in texts do not count."""
    depth = 0
    for found in re.finditer(rb'"(?:[^"\\]++|\\.)*+"|[\[{]++|[\]}]++', data, re.DOTALL):
        first = data[found.start()]
        if first in b"[{":
            depth += found.end() - found.start()
            if depth > DEEPEST:
                raise ValueError("it is too deep")
        elif first in b"]}":
            depth -= found.end() - found.start()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if not isfinite(number) or len(text) > 2 * LONGEST_NUMBER:
        raise ValueError("a number that cannot be read")
    return number
