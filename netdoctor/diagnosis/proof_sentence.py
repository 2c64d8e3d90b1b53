"""The sentence on what copies of the node showed of a cause."""

from __future__ import annotations

from collections.abc import Sequence

from netdoctor.facts.traffic.experiments import Trial, Tried


def proof(shown: list[tuple[Trial, tuple[Tried, ...], bool]], tried: Sequence[Trial]) -> str:
    """One sentence on what the copies showed: the change that cures most of the failing flows, and how many.

    `shown`: the flows that a change of the cause cures. `tried`: all that fail because of the cause, as far as is seen.
    """
    by_cure: dict[tuple[str, ...], list[bool]] = {}
    for _, cure, needed in shown:
        by_cure.setdefault(tuple(change.change for change in cure), []).append(needed)
    changes, nothing_else = max(by_cure.items(), key=lambda found: (len(found[1]), -len(found[0])))
    cured, failing = len(nothing_else), len(tried)
    work = f"{cured} of {failing} failing connections work" if failing > 1 else "the failing connection works"
    after = "after this change" if len(changes) == 1 else "after these changes"
    other = ", and after no other" if all(nothing_else) else ""
    rest = _rest(len(shown) - cured, len(shown), tried)
    return f"on a copy of this node, {work} {after}{other}: {'; '.join(changes)}{rest}"


def _rest(with_more: int, shown: int, tried: Sequence[Trial]) -> str:
    """What the other failing flows need: a further change beside the cause's own, or only another one, or neither."""
    cured = sum(bool(trial.cures) for trial in tried)
    unchanged = sum(trial.passes and not trial.cures for trial in tried)
    parts = [
        _counted(with_more, "more needs another change as well", "more need another change as well"),
        _counted(cured - shown, "has another cause", "have another cause"),
        _counted(unchanged, "works there without a change", "work there without a change"),
        _counted(len(tried) - cured - unchanged, "still fails", "still fail"),
    ]
    told = ", ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def _counted(count: int, one: str, many: str) -> str:
    """So many of them, in words; "" for none."""
    return f"{count} {one if count == 1 else many}" if count else ""
