"""A rehearsal as text and as JSON: what passes, what opens and what closes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from netdoctor.model import Access
from netdoctor.redact import one_line
from netdoctor.rehearsal.exposure import ExposedFlow, at
from netdoctor.rehearsal.rehearsal import Rehearsal, TriedFlow

MOST = 6  # things of one kind that are named; -v names all


def lines(rehearsal: Rehearsal | None, why_not: str, *, verbose: bool = False) -> list[str]:
    """The rehearsal for a person; nothing where there was nothing to rehearse. Each is one line, whatever it tells.

    `verbose`: each way that opens, and what was tried beside.
    """
    return list(map(one_line, _lines(rehearsal, why_not, None if verbose else MOST)))


def _lines(rehearsal: Rehearsal | None, why_not: str, most: int | None) -> list[str]:
    """`most`: so many things of one kind are named, None: all of them."""
    if rehearsal is None:
        return ["", f"not rehearsed on a copy of this node: {why_not}"] if why_not else []
    found = ["", f"rehearsed on a copy of this node, {rehearsal.seconds:.1f} s"]
    found += _flow_lines(rehearsal.flows, most)
    found += _closed_lines(rehearsal, most)
    found += _opened_lines(rehearsal, most)
    if most is None:
        found += [f"    tried too: {words}" for words in rehearsal.sampled]
        found += [f"  – changes nothing for any packet: {sentence}" for sentence in rehearsal.untouched]
    elif rehearsal.untouched:
        count = len(rehearsal.untouched)
        who = "1 change that touches" if count == 1 else f"{count} changes that touch"
        found.append(f"  – not rehearsed: {who} no packet on this node (-v says why)")
    found += [f"  ? the copy does not show: {sentence}" for sentence in rehearsal.not_shown]
    if rehearsal.unseen:
        found.append(f"  ? connected now, but not answered in any copy: {_few(rehearsal.unseen, most)}")
    if rehearsal.refusal:
        found.append(f"  {rehearsal.verdict.upper()}  {rehearsal.refusal}")
    return found


def _flow_lines(flows: tuple[TriedFlow, ...], most: int | None) -> list[str]:
    """What becomes of the connections that fail: how many work, which do not, and which fail in no copy."""
    failing = [tried for tried in flows if not tried.passed]
    found = _cured_lines(failing, most) if failing else []
    only_on_the_node = tuple(tried.flow for tried in flows if tried.passed)
    if only_on_the_node:
        count = len(only_on_the_node)
        who = f"{count} connection{' fails' if count == 1 else 's fail'} on the node but not in the copy"
        found.append(f"  ? {who}, so it may work again by now: {_few(only_on_the_node, most)}")
    return found


def _cured_lines(failing: list[TriedFlow], most: int | None) -> list[str]:
    """How many of the connections that fail in the copy work with the repair, and which do not."""
    still = [tried for tried in failing if not tried.passes]
    found = [f"  {'✗' if still else '✓'} {len(failing) - len(still)} of {len(failing)} failing connections work"]
    found += [f"    still fails: {tried.flow}: {tried.after}" for tried in still[:most]]
    if most is not None and len(still) > most:
        found.append(f"    and {len(still) - most} more (-v shows them)")
    return found


def _closed_lines(rehearsal: Rehearsal, most: int | None) -> list[str]:
    """Whether something stops working, and what."""
    if not rehearsal.closed:
        return [f"  ✓ nothing that works now stops working ({rehearsal.tried} ways tried)"]
    found = [f"  ✗ {len(rehearsal.closed)} of {rehearsal.tried} ways tried stop working"]
    return found + _by_class(rehearsal.closed, most)


def _opened_lines(rehearsal: Rehearsal, most: int | None) -> list[str]:
    """What opens: the number in each class, each way where `most` is None, and always what the repair is not for."""
    if not rehearsal.opened:
        return [f"  ✓ opens nothing ({rehearsal.tried} ways tried)"]
    meant = tuple(way for way in rehearsal.opened if way not in rehearsal.needless)
    if most is None:
        sign = "✗" if rehearsal.needless else "✓"
        found = [f"  {sign} newly reachable: {len(rehearsal.opened)} of {rehearsal.tried} source/port pairs tried"]
        return [*found, *_by_class(meant, most), *_by_class(rehearsal.needless, most, " (not what the repair is for)")]
    counts = ", ".join(f"{kind} {len(mine)}" for kind, mine in _classes(meant))
    if not rehearsal.needless:
        return [f"  ✓ opens only what it is for: {counts}"]
    found = ["  ✗ opens more than it is for", *_by_class(rehearsal.needless, most, " (not what the repair is for)")]
    return [*found, f"    and what it is for: {counts}"] if counts else found


def _classes(ways: tuple[ExposedFlow, ...]) -> Iterator[tuple[Access, tuple[ExposedFlow, ...]]]:
    """The classes that have any of these ways, with their own."""
    for kind in Access:
        mine = tuple(way for way in ways if way.kind is kind)
        if mine:
            yield kind, mine


def _by_class(ways: tuple[ExposedFlow, ...], most: int | None, note: str = "") -> list[str]:
    return [f"    {kind}: {_few(tuple(map(_short, mine)), most)}{note}" for kind, mine in _classes(ways)]


def _few(words: tuple[str, ...], most: int | None) -> str:
    if most is None or len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more (-v shows them)"


def _short(way: ExposedFlow) -> str:
    return str(way) if way.who else f"{at(way.flow.destination, way.flow.port)}/{way.flow.protocol}"


def as_json(rehearsal: Rehearsal | None, why_not: str) -> dict[str, Any] | None:
    """The rehearsal for a program; None where there was nothing to rehearse."""
    if rehearsal is None:
        return {"not_rehearsed": why_not} if why_not else None

    def rows(ways: tuple[ExposedFlow, ...]) -> list[dict[str, Any]]:
        return [
            {
                "access": way.kind,
                "source": way.flow.source,
                "who": way.who,
                "destination": way.flow.destination,
                "protocol": way.flow.protocol,
                "port": way.flow.port,
            }
            for way in ways
        ]

    return {
        "flows": [asdict(tried) for tried in rehearsal.flows],
        "opened": rows(rehearsal.opened),
        "closed": rows(rehearsal.closed),
        "needless": rows(rehearsal.needless),
        "ways": rehearsal.tried,
        "not_shown": list(rehearsal.not_shown),
        "refusal": rehearsal.refusal,
        "verdict": rehearsal.verdict,
        "untouched": list(rehearsal.untouched),
        "sampled": list(rehearsal.sampled),
        "unseen": list(rehearsal.unseen),
        "seconds": rehearsal.seconds,
    }
