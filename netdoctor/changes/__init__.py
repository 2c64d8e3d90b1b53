"""One kind of edit, one file: data that can apply and undo itself.

A change is a frozen dataclass whose fields are all JSON, so that the journal can hold it. Its classmethod `planned`
reads what it will replace. A file here is the only registration: whatever class in it has a `kind` is a change. An
optional method `left_alone` says in one sentence what `undo` does not restore, and why. An optional method
`is_of_netdoctor` says whether netdoctor itself may have written this into a journal: undo makes no other. What does not
outlive a boot has `until_boot` true; what a boot does not set right by itself is kept by a file beside it. An optional
method `comes_back` says why the next boot brings back what the change repairs, "" where it does not. An optional method
`written_at` says when what is there was written, in seconds since 1970, None where it is not what the change writes.
`touches_no_way` says why a change that no copy can show does not concern any packet on a node; `not_shown` what it does
to a node that no copy shows; `opens` what it is meant to open beyond what its remedy says. `in_short` is `diff` in a
few lines, each beginning with `+ `, `- `, `~ ` or spaces, and leaves out nothing that a person needs to agree to it;
`touched` names what it edits, to be counted. `needs_the_node` is true where the plan says what this machine has (a
program): no recording tells that of its node.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import asdict
from functools import cache
from typing import Any

from netdoctor.model import Change

MOST_SHOWN = 8  # lines of one change; of more the number
Touched = tuple[str, str]  # what kind of thing, with {s} where its plural has an s; and which one


@cache
def kinds() -> dict[str, type[Change]]:
    """Every kind of change by its name. Raises TypeError when two are called the same."""
    found: dict[str, type[Change]] = {}
    for module in pkgutil.iter_modules(__path__, __name__ + "."):
        for item in vars(importlib.import_module(module.name)).values():
            if isinstance(item, type) and item.__module__ == module.name and hasattr(item, "kind"):
                name = str(item.kind)
                if name in found:
                    raise TypeError(f"two changes are called {name}")
                found[name] = item
    return found


def as_data(change: Change) -> tuple[str, str]:
    """A change's kind, and its fields as JSON: what a fact can hold."""
    return str(change.kind), json.dumps(asdict(change))  # type: ignore[call-overload]


def of_data(kind: str, fields: str) -> Change:
    """The change of this kind and these fields. Raises ValueError for what is not exactly one."""
    from pydantic import TypeAdapter

    change: Change = TypeAdapter(kinds()[kind]).validate_json(fields, strict=True)
    return change


def is_of_netdoctor(change: Change) -> bool:
    """Whether netdoctor makes such a change: a journal may hold any."""
    say: Any = getattr(change, "is_of_netdoctor", None)
    return say is None or bool(say())


def needs_the_node(change: Change) -> bool:
    """Whether a plan of this change can be made on the node itself only."""
    return bool(getattr(change, "needs_the_node", False))


def left_alone(change: Change) -> str:
    """What undoing this change does not restore and why, or ""."""
    say: Any = getattr(change, "left_alone", None)
    return str(say()) if say else ""


def comes_back(change: Change) -> str:
    """Why the next boot brings back what this change repairs, or ""."""
    say: Any = getattr(change, "comes_back", None)
    return str(say()) if say else ""


def in_short(change: Change) -> list[str]:
    """What a change does in a few lines, each with its sign; all of it for a change that has no short form."""
    say: Any = getattr(change, "in_short", None)
    return list(say()) if say else [f"~ {change.describe()}", *change.diff().splitlines()]


def touched(change: Change) -> tuple[Touched, ...]:
    """What a change edits."""
    say: Any = getattr(change, "touched", None)
    return tuple(say()) if say else ()
