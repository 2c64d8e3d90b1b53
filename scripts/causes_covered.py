#!/usr/bin/env python3
"""Which of the known root causes `check` names, by which probe, what shows that, and what repairs them.

`scripts/causes_covered.py` prints the table of tests/causes.yaml, which `make docs` writes to docs/causes-covered.md.
`scripts/causes_covered.py CORPUS` prints that of another list: YAML, an entry for each cause, with an `id`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

from tests.probes.cases import Case  # noqa: E402
from tests.probes.test_probes import CASES  # noqa: E402

CAUSES, FAULTS = ROOT / "tests/causes.yaml", ROOT / "tests/faults"
UNJUDGED = "The list of this repository does not have it."
HEAD = """# Known root causes, and what becomes of them

These root causes have been met in practice; the links lead to where they are told. *Shown by* is a state that tests
make: a file of `tests/faults` breaks the lab's real node, and *by hand* means facts that a test builds, where the lab
cannot make the state. A cause counts as named where a probe names the faulty object, rule or value; what ends as a
symptom alone does not count. Each repair is made and undone in the lab, and the node compared before and after.
"""


@dataclass(frozen=True)
class State:
    """A state that has a known root cause."""

    name: str
    probes: tuple[str, ...]  # which name it
    is_warning: bool  # whether it is a warning alone
    remedies: tuple[str, ...] = ()
    by_hand: bool = False

    @property
    def shown(self) -> str:
        """The state as a link of the page, or in words."""
        link = "" if self.name.startswith("a test") else f"[{self.name}](../tests/faults/{self.name}.yaml)"
        return f"by hand: {link or self.name}" if self.by_hand else link


def of_faults() -> Iterator[tuple[str, State]]:
    """The ids that the files of tests/faults stand for, each with its state."""
    for path in sorted(FAULTS.glob("*.yaml")):
        fault: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        causes, warnings = fault["causes"], fault.get("warnings", [])
        probes = tuple(dict.fromkeys(causes or warnings))
        state = State(path.stem, probes, not causes, tuple(fault.get("remedies", ())), "skip" in fault)
        yield from ((name, state) for name in fault.get("stands_for", ()))


def of_cases() -> Iterator[tuple[str, State]]:
    """The ids that cases of tests/probes stand for."""
    case: Case
    for case in CASES:
        state = State(f'a test, "{case.story}"', (case.probe,), str(case.severity) == "warning", by_hand=True)
        yield from ((name, state) for name in case.stands_for)


def states() -> dict[str, list[State]]:
    """The states that stand for each id; those of the lab first."""
    found: dict[str, list[State]] = {}
    for name, state in (*of_faults(), *of_cases()):
        found.setdefault(name, []).append(state)
    return {name: sorted(each, key=lambda state: state.by_hand) for name, each in found.items()}


@dataclass(frozen=True)
class Row:
    """A root cause, and the states that show it."""

    cause: dict[str, Any]
    states: tuple[State, ...]

    @property
    def gap(self) -> str:
        """Why it is not named; "" where it is."""
        return "" if self.states else str(self.cause.get("gap", UNJUDGED))

    def probes(self) -> list[str]:
        """The probes that name it."""
        return list(dict.fromkeys(probe for state in self.states for probe in state.probes))

    def remedies(self) -> list[str]:
        """What repairs it, and is undone."""
        return list(dict.fromkeys(remedy for state in self.states for remedy in state.remedies))

    @property
    def is_warning(self) -> bool:
        """Whether it is named as a warning alone."""
        return all(state.is_warning for state in self.states)

    def cells(self) -> list[str]:
        """The row of the table."""
        links = " ".join(f"[{number}]({url})" for number, url in enumerate(self.cause.get("sources", ()), 1))
        named = _links(self.probes(), "probes") or "-"
        if self.states and self.is_warning:
            named += " (a warning)"
        shown = ", ".join(state.shown for state in self.states) or "-"
        remedies = _links(self.remedies(), "remedies")
        return [f"`{self.cause['id']}`", f"{self.cause['title']} {links}".strip(), named, shown, remedies or "-",
                "yes" if remedies else "-"]  # fmt: skip


def _links(names: list[str], folder: str) -> str:
    return ", ".join(f"[{name}]({folder}/{name}.md)" for name in names)


def known() -> dict[str, dict[str, Any]]:
    """The causes of this repository by id."""
    causes: list[dict[str, Any]] = yaml.safe_load(CAUSES.read_text(encoding="utf-8"))
    return {cause["id"]: cause for cause in causes}


def rows(corpus: Path | None = None) -> list[Row]:
    """A row for each cause of this repository, or of another list of causes."""
    causes, standing = known(), states()
    wanted = list(causes.values())
    if corpus:
        listed = yaml.safe_load(corpus.read_text(encoding="utf-8"))
        wanted = [{"title": "", "layer": "", **entry, **causes.get(entry["id"], {})} for entry in listed]
    return [Row(cause, tuple(standing.get(cause["id"], ()))) for cause in wanted]


def causes_page(found: list[Row]) -> Iterator[str]:
    """The lines of the page."""
    yield from HEAD.splitlines()
    yield ""
    yield from totals(found)
    for layer in dict.fromkeys(row.cause["layer"] for row in found):
        yield from ("", f"## {layer}", "")
        yield "| id | root cause | named by | shown by | repaired by | undone |"
        yield "|---|---|---|---|---|---|"
        yield from (f"| {' | '.join(row.cells())} |" for row in found if row.cause["layer"] == layer)
    if gaps := [row for row in found if row.gap]:
        yield from ("", "## Not named", "")
        yield from (f"- `{row.cause['id']}`: {row.gap}" for row in gaps)


def totals(found: list[Row]) -> Iterator[str]:
    """The sums, a line each."""
    named = [row for row in found if row.states]
    in_lab = [row for row in named if not all(state.by_hand for state in row.states)]
    warnings = [row for row in named if row.is_warning]
    repaired = [row for row in named if row.remedies()]
    yield f"- Named: {len(named)} of {len(found)}, {len(warnings)} of them as a warning."
    yield f"- Shown on the lab's node: {len(in_lab)}; by hand alone: {len(named) - len(in_lab)}."
    yield f"- Repaired by netdoctor, and undone: {len(repaired)}."


def main() -> None:
    """Print the table."""
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print("\n".join(causes_page(rows(corpus))))


if __name__ == "__main__":
    main()
