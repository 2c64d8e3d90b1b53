"""Points in time as text: UTC, RFC 3339, whole seconds, as the Kubernetes API writes them; they sort as they are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path


def utc(seconds: float) -> str:
    """Seconds since the epoch as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    """The present moment as text."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(path: Path) -> str:
    """When a file was last written, "" where there is no such file (any more)."""
    try:
        return utc(path.stat().st_mtime)
    except OSError:
        return ""


def seconds_between(begin: str, end: str) -> float:
    """The seconds from one point in time to another, both as text; infinite where one of them is none."""
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
    except (ValueError, TypeError):
        return float("inf")
