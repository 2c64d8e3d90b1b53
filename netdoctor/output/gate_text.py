"""The gate's verdict as lines for a terminal."""

from __future__ import annotations

from netdoctor.diagnosis.gate import Gate, Verdict
from netdoctor.redact import block

SIGNS = {"yes": "✓", "no": "✗", "unknown": "?", "later": "+"}


def render(gate: Gate) -> str:
    """All of it: the verdict, from where it was asked, each need, the causes, and what to do next."""
    lines = [f"gate: {str(gate.verdict).upper()}", *(f"  {line}" for line in asked(gate))]
    for need in gate.needs:
        lines.append(f"  {SIGNS[need.met]} {need.name}" + (f": {need.reason}" if need.reason else ""))
    lines += [f"because: {d.cause.summary} ({d.cause.probe})" for d in gate.causes]
    if not gate.causes and gate.verdict is not Verdict.OPEN:
        lines.append(f"because: {gate.reason}")
    if any(d.remedies for d in gate.causes):
        lines.append("next: sudo netdoctor check, then sudo netdoctor fix --dry-run")
    elif gate.causes:
        lines.append(f"next: netdoctor explain {gate.causes[0].cause.probe}")
    return block(lines)


def summary(gate: Gate) -> str:
    """An open gate in a few words."""
    met, later = (sum(need.met == state for need in gate.needs) for state in ("yes", "later"))
    coming = f", {later} come with the deployment" if later else ""
    lines = [f"gate: {str(gate.verdict).upper()}, {met} needs are met{coming}", *(f"  {line}" for line in asked(gate))]
    return block(lines)


def asked(gate: Gate) -> list[str]:
    """From where it was asked, and for whom."""
    lines = []
    if gate.asked_from:
        lines.append(f"asked from {gate.asked_from}")
    if gate.modules:
        lines.append(f"for {', '.join(gate.modules)} in namespace {gate.namespace}, as described in {gate.source}")
    return lines
