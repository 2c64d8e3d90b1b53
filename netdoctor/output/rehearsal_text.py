"""A rehearsal as text and as JSON: what passes, what opens and what closes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from netdoctor.model import Access
from netdoctor.redact import one_line
from netdoctor.rehearsal.exposure import ExposedFlow, at
from netdoctor.rehearsal.rehearsal import Rehearsal, TriedFlow

MOST = 6  # ways of one class


def lines(rehearsal: Rehearsal | None, why_not: str) -> list[str]:
    """The rehearsal for a person; nothing where there was nothing to rehearse. Each is one line, whatever it tells."""
    return list(map(one_line, _lines(rehearsal, why_not)))


def _lines(rehearsal: Rehearsal | None, why_not: str) -> list[str]:
    if rehearsal is None:
        return ["", f"not rehearsed on a copy of the node: {why_not}"] if why_not else []
    found = ["", f"rehearsed on a copy of the node, in {rehearsal.seconds:.1f} s:"]
    found += _flow_lines(rehearsal.flows)
    found += _matrix("newly reachable", rehearsal.opened, rehearsal)
    found += _matrix("no longer reachable", rehearsal.closed, rehearsal)
    if rehearsal.sampled:
        found.append(f"  tried too: {'; '.join(rehearsal.sampled)}")
    found += [f"  touches no packet's way: {sentence}" for sentence in rehearsal.untouched]
    found += [f"  not shown by it: {sentence}" for sentence in rehearsal.not_shown]
    if rehearsal.unseen:
        found.append(f"  connected now, and not answered in any copy: {_few(rehearsal.unseen)}")
    if rehearsal.refusal:
        found.append(f"  {rehearsal.verdict.upper()}: {rehearsal.refusal}")
    return found


def _flow_lines(flows: tuple[TriedFlow, ...]) -> list[str]:
    """What becomes of the flows that fail: how many pass, which do not, and which no copy shows."""
    found: list[str] = []
    failing = [tried for tried in flows if not tried.passed]
    if failing:
        found.append(f"  {sum(tried.passes for tried in failing)} of the {len(failing)} flows that fail now pass")
    found += [f"    still fails: {tried.flow}: {tried.after}" for tried in failing if not tried.passes]
    found += [f"  fails on the node and in no copy of it: {tried.flow}" for tried in flows if tried.passed]
    return found


def _few(words: tuple[str, ...]) -> str:
    return ", ".join(words[:MOST]) + (f" and {len(words) - MOST} more" if len(words) > MOST else "")


def _matrix(title: str, ways: tuple[ExposedFlow, ...], rehearsal: Rehearsal) -> list[str]:
    if not ways:
        return [f"  {title}: nothing ({rehearsal.tried} ways tried)"]
    found = [f"  {title}: {len(ways)} of {rehearsal.tried} ways"]
    for kind in Access:
        mine = [way for way in ways if way.kind is kind]
        if mine:
            needless = " (not what the repair is for)" if set(mine) & set(rehearsal.needless) else ""
            found.append(f"    {kind}: {_few(tuple(map(_short, mine)))}{needless}")
    return found


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
