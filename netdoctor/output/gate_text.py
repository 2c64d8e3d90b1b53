"""The gate's verdict as lines for a terminal."""

from __future__ import annotations

from collections import Counter

from netdoctor.diagnosis.gate import Gate, Need, Verdict
from netdoctor.output.unasked_text import cannot_check, without_node

SIGNS = {"yes": "✓", "no": "✗", "unknown": "?", "later": "+"}
MOST = 2  # needs that repeat a reason; of more the reason is told once


def render(gate: Gate, command: str = "gate") -> list[str]:
    """All of it: the verdict, from where it was tested, each need, the causes, and what to do next.

    `command` is the one that asked.
    """
    lines = [f"gate: {str(gate.verdict).upper()}", *(f"  {line}" for line in tested(gate))]
    why = without_node(need.reason for need in gate.needs)
    asked = [need for need in gate.needs if need.met != "unknown"] if why else list(gate.needs)
    lines += _need_lines(asked)
    if why:
        lines.append(f"  ? {len(gate.needs) - len(asked)} of {len(gate.needs)} needs could not be checked")
    lines += [*_reason_lines(gate, without_node=bool(why)), *_next_lines(gate)]
    return [*lines, "", *cannot_check(why, command)] if why else lines


def _need_lines(needs: list[Need]) -> list[str]:
    """A line for each need; those that the same reason keeps from being checked stand together."""
    shared = Counter(need.reason for need in needs if need.met == "unknown")
    lines, told = [], set[str]()
    for need in needs:
        if need.met == "unknown" and shared[need.reason] > MOST:
            if need.reason not in told:
                same = [other.name for other in needs if other.reason == need.reason]
                lines += [f"  ? {len(same)} needs could not be checked: {need.reason}", f"    {', '.join(same)}"]
            told.add(need.reason)
        else:
            lines.append(f"  {SIGNS[need.met]} {_need_words(need)}")
    return lines


def _need_words(need: Need) -> str:
    """The need, and why it is not met; where it fails the reason alone, which says what fails."""
    if need.met == "no" and need.reason:
        return need.reason
    not_tested = "not tested: " if need.met == "unknown" else ""
    return need.name + (f": {not_tested}{need.reason}" if need.reason else "")


def _reason_lines(gate: Gate, *, without_node: bool) -> list[str]:
    if gate.causes:
        return [f"CAUSE  {d.cause.summary} ({d.cause.probe})" for d in gate.causes]
    if gate.verdict is Verdict.CLOSED:
        return [f"CAUSE  {gate.reason}"]
    unknown = gate.verdict is Verdict.NOT_VERIFIED and not without_node
    return [f"COULD NOT TELL  {gate.reason}"] if unknown else []


def _next_lines(gate: Gate) -> list[str]:
    if any(d.remedies for d in gate.causes):
        where = "on the node: " if gate.recorded else ""
        return [f"  fix    {where}sudo netdoctor fix --dry-run"]
    by_hand = [f"  fix    {line}" for diagnosis in gate.causes for line in diagnosis.cause.by_hand]
    return [*by_hand, f"  why    netdoctor explain {gate.causes[0].cause.probe}"] if gate.causes else []


def summary(gate: Gate) -> list[str]:
    """An open gate in a few words."""
    met, later = (sum(need.met == state for need in gate.needs) for state in ("yes", "later"))
    coming = f", {later} come with the deployment" if later else ""
    return [f"gate: {str(gate.verdict).upper()}  {met} needs are met{coming}", *(f"  {line}" for line in tested(gate))]


def tested(gate: Gate) -> list[str]:
    """From where it was tested, and for which modules."""
    lines = []
    if gate.asked_from:
        lines.append(f"tested from {gate.asked_from}")
    if gate.modules:
        lines.append(f"for {', '.join(gate.modules)} in namespace {gate.namespace}, as described in {gate.source}")
    elif gate.asked_from:
        lines.append("no gateway modules: only what every pod needs was tested")
    return lines
