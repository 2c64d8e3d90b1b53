"""What a remedy would change on these facts."""

from __future__ import annotations

from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.model import Change, Finding, NeedsTheNode, NotApplicable, Remedy


def changes_of(remedy: Remedy, findings: tuple[Finding, ...], facts: Facts) -> tuple[tuple[Change, ...], str]:
    """The changes that a remedy wants on these facts; if it has none, why not."""
    try:
        return planned(remedy, findings, facts)
    except NeedsTheNode as why:
        return (), str(why)


def planned(remedy: Remedy, findings: tuple[Finding, ...], facts: Facts) -> tuple[tuple[Change, ...], str]:
    """The same. Raises NeedsTheNode where a recording does not tell all that the remedy needs."""
    try:
        return remedy(findings, *facts.arguments(remedy.plan, skip=1)), ""
    except NeedsTheNode:
        raise
    except (NotApplicable, CannotRead) as why:
        return (), str(why)
