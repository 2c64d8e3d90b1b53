"""What tests read of the JSON report, version 2."""

from __future__ import annotations

from typing import Any


def causes(report: dict[str, Any], severity: str = "error") -> list[str]:
    """The probes of the causes of this severity, sorted; unexplained symptoms among them."""
    return sorted(cause["probe"] for cause in report["causes"] if cause["severity"] == severity)


def explained(report: dict[str, Any]) -> set[str]:
    """The probes of the findings that causes explain."""
    return {name.partition("#")[0] for cause in report["causes"] for name in cause.get("explains", ())}


def outcomes(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What became of each probe, and the reason, "" where there is none."""
    told = report["outcomes"]
    found = {name: ("pass", "") for names in told["passed"].values() for name in names}
    found |= {name: ("fail", "") for name in told.get("failed", ())}
    for outcome in ("unknown", "blocked", "not_applicable"):
        for reason in told.get(outcome, ()):
            found |= {name: (outcome, reason["why"]) for name in reason["probes"]}
    return found
