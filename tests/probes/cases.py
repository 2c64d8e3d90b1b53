"""What a case of a probe is: the node that it sees, and what it says then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netdoctor.errors import CannotRead
from netdoctor.model import Confidence, Outcome, Severity

PASS, FAIL, UNKNOWN, NOT_APPLICABLE = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE


@dataclass(frozen=True)
class Case:
    """A probe, what is different on the node, and what it says then."""

    probe: str
    story: str
    outcome: Outcome
    facts: tuple[object, ...] = ()
    says: str = ""
    unread: Mapping[type, CannotRead] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    confidence: Confidence = Confidence.CONFIRMED
    evidence: str = ""
    stands_for: tuple[str, ...] = ()  # ids of tests/causes.yaml
