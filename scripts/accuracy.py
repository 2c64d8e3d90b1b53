#!/usr/bin/env python3
"""docs/accuracy.md from what a run of tests/test_faults.py wrote down: `scripts/accuracy.py RECORD`.

`make accuracy` runs the faults on three labs, with every repair and undo, and then this. RECORD holds a JSON line for
each step of a fault (tests/accuracy_record.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE, FAULTS = ROOT / "docs/accuracy.md", ROOT / "tests/faults"
HEAD = """# How often netdoctor is right

`make accuracy` breaks the lab's real node in every way of `tests/faults`, one after the other, and writes this page. An
odd but healthy node is a row without an expected cause. *First* is the cause that `check` names first. A fault has more
than one expected cause where one act has several effects that are repaired apart. A dash under *repaired* means that
the fault has no remedy.
"""


@dataclass(frozen=True)
class Row:
    """What became of one fault, or of one odd but healthy node."""

    name: str
    noted: dict[str, Any]  # the fields of tests/accuracy_record.py; none where the fault was not reached

    @property
    def expected(self) -> list[str]:
        """The causes that belong to the fault; none on a healthy node."""
        return list(self.noted.get("expected", []))

    @property
    def is_pair(self) -> bool:
        """Whether it is two faults at once."""
        return "missing" in self.noted

    @property
    def is_right(self) -> bool:
        """Whether the cause named first is one of the fault's, or none is named on a healthy node."""
        first = self.noted.get("first", "")
        return first in self.expected if self.expected else not first

    def cells(self) -> list[str]:
        """The row of the table."""
        known = self.noted
        first = known.get("first") or "none"
        shown = first if self.is_right else f"**{first}**"
        fix = f"{_yes(known['repaired'])}, {known.get('fix_seconds', '?')} s" if "repaired" in known else "-"
        undone = _yes(known["undone"]) if "undone" in known else "-"
        expected = ", ".join(self.expected) or "none"
        return [self.name, expected, shown, known.get("confidence") or "-", f"{known['seconds']:.1f}", fix, undone]


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "**no**"


def rows(record: Path) -> list[Row]:
    """What is known of each fault, by name; of two notes of the same field the later one."""
    noted: dict[str, dict[str, Any]] = {}
    for line in record.read_text().splitlines():
        fields = json.loads(line)
        noted.setdefault(fields.pop("fault"), {}).update(fields)
    return [Row(name, noted[name]) for name in sorted(noted)]


def skipped() -> dict[str, str]:
    """The faults that the lab cannot make, and why."""
    found = {path.stem: yaml.safe_load(path.read_text()).get("skip") for path in sorted(FAULTS.glob("*.yaml"))}
    return {name: why for name, why in found.items() if why}


def page(noted: list[Row]) -> Iterator[str]:
    """The lines of the page."""
    found = [row for row in noted if not row.is_pair]
    yield from HEAD.splitlines()
    yield ""
    yield from totals(found)
    yield ""
    yield "| fault | expected | first | confidence | seconds | repaired | undone |"
    yield "|---|---|---|---|---|---|---|"
    for row in found:
        yield f"| {' | '.join(row.cells())} |"
    yield from pairs(noted)
    missed = skipped()
    if missed:
        yield ""
        yield "Not in the table, because the lab cannot make them:"
        yield ""
        yield from (f"- {name}: {why}" for name, why in missed.items())


def pairs(noted: list[Row]) -> Iterator[str]:
    """The table of two faults at once; nothing where the run made none."""
    found = [row for row in noted if row.is_pair]
    if not found:
        return
    yield ""
    yield "## Two faults at once"
    yield ""
    yield f"Both are named: {_share([not row.noted['missing'] for row in found])}."
    yield ""
    yield "| faults | causes named | not named | seconds |"
    yield "|---|---|---|---|"
    for row in found:
        named, missing = ", ".join(row.noted["named"]), ", ".join(row.noted["missing"]) or "-"
        yield f"| {row.name} | {named} | {missing} | {row.noted['seconds']:.1f} |"


def totals(found: list[Row]) -> Iterator[str]:
    """The sums, a line each."""
    broken = [row for row in found if row.expected]
    healthy = [row for row in found if not row.expected]
    seconds = [row.noted["seconds"] for row in broken]
    repaired = [row.noted["repaired"] for row in broken if "repaired" in row.noted]
    undone = [row.noted["undone"] for row in broken if "undone" in row.noted]
    yield f"- The right cause first: {_share([row.is_right for row in broken])} of the broken nodes."
    yield f"- No false alarm: {_share([row.is_right for row in healthy])} of the odd but healthy nodes."
    times = f"{median(seconds):.1f} s (median), {max(seconds):.1f} s at most"
    yield f"- `check` of a broken node: {times}, beside two labs at work."
    yield f"- Healthy after the first `fix`: {_share(repaired)} of the faults with a remedy."
    yield f"- Undone to the byte: {_share(undone)} of these."


def _share(outcomes: list[bool]) -> str:
    return f"{sum(outcomes)} of {len(outcomes)}" + (f" ({sum(outcomes) / len(outcomes):.1%})" if outcomes else "")


def main() -> None:
    """Write the page."""
    PAGE.write_text("\n".join(page(rows(Path(sys.argv[1])))) + "\n")
    print(f"{PAGE.relative_to(ROOT)} is written")


if __name__ == "__main__":
    main()
