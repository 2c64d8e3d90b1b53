"""What each fault's turn showed, a JSON line for each step, where NETDOCTOR_ACCURACY names a file.

`scripts/accuracy` makes docs/accuracy.md from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.reports import causes

FILE = os.environ.get("NETDOCTOR_ACCURACY", "")


def note(fault: str, **fields: object) -> None:
    """Add what is known now of a fault: a later line about the same field wins."""
    if FILE:
        with Path(FILE).open("a") as file:
            file.write(json.dumps({"fault": fault} | fields) + "\n")


def note_check(fault: str, expected: Collection[str], report: dict[str, Any]) -> None:
    """Add what `check` said of a broken node, or of an odd but healthy one, where nothing is `expected`."""
    errors = [cause for cause in report["causes"] if cause["severity"] == "error"]
    first = errors[0] if errors else {}
    note(
        fault,
        expected=sorted(expected),
        first=first.get("probe", ""),
        named=causes(report),
        confidence=first.get("confidence", ""),
        seconds=report["seconds"],
    )


def note_pair(pair: Collection[str], missing: Collection[str], report: dict[str, Any]) -> None:
    """Add what `check` said of two faults at once; `missing` are those of which no cause was named."""
    note(" + ".join(pair), named=causes(report), missing=list(missing), seconds=report["seconds"])
