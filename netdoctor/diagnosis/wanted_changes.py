"""What a remedy would change on these facts."""

from __future__ import annotations

from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.model import Change, Finding, NotApplicable, Remedy


def changes_of(remedy: Remedy, findings: tuple[Finding, ...], facts: Facts) -> tuple[tuple[Change, ...], str]:
    """The changes that a remedy wants on these facts; if it has none, why not."""
    try:
        return remedy(findings, *facts.arguments(remedy.plan, skip=1)), ""
    except (NotApplicable, CannotRead) as why:
        return (), str(why)
