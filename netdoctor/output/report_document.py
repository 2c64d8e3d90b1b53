"""The report as a JSON document, version 2: each finding once, and nothing that is empty.

These dataclasses are the schema: a field with a default is left out where it has that value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from netdoctor.model import Area, Confidence, Made, Severity, Subject
from netdoctor.values import Values, Versions

Verdict = Literal["healthy", "faulty", "could not tell"]


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """One thing that was observed."""

    says: str  # where, what, and what a healthy node shows there
    data: Values = field(default_factory=Values)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingEntry:
    """One fault that is present. Without a subject it is about the whole node."""

    id: str  # the probe's name, with #2 and so on where it has found several
    probe: str
    says: str
    severity: Severity
    confidence: Confidence
    subject: Subject = field(default_factory=Subject)
    since: str = ""
    evidence: tuple[EvidenceEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCommands:
    """What to type next, on the node."""

    fix: tuple[str, ...] = ()  # netdoctor's own repair, shown first; or the commands by hand, with the values found
    why: str  # its manual page
    see: str = ""  # follows a failing packet


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseEntry(FindingEntry):
    """A finding that no other one explains: a cause, or a symptom that is unexplained."""

    unexplained: bool = False
    proof: str = ""  # what copies of the node showed
    explains: tuple[str, ...] = ()  # ids of findings
    remedies: tuple[str, ...] = ()
    next: NextCommands
    page: str  # the manual page's place in the project


@dataclass(frozen=True, slots=True)
class ReasonEntry:
    """Probes that one reason kept from an answer."""

    why: str
    probes: tuple[str, ...]
    blocked_by: tuple[str, ...] = ()  # the probes that have to pass first


@dataclass(frozen=True, slots=True)
class ProbeOutcomes:
    """What became of each probe: its id stands in exactly one of these."""

    passed: dict[Area, tuple[str, ...]]
    failed: tuple[str, ...] = ()
    unknown: tuple[ReasonEntry, ...] = ()
    blocked: tuple[ReasonEntry, ...] = ()
    not_applicable: tuple[ReasonEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class CureEntry:
    """A smallest set of changes that lets a flow pass."""

    changes: tuple[str, ...]
    necessary: bool  # whether everything else together was not enough


@dataclass(frozen=True, slots=True)
class ExperimentEntry:
    """A flow that failed on the node, asked again in a copy of it."""

    flow: str
    node: str  # how it ended on the node
    copy: str = ""  # how it ended in the copy, "" where it ended there in the same way
    ended: str = ""  # the rule, or the last place that it came to
    cures: tuple[CureEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDocument:
    """What `netdoctor check` has found."""

    verdict: Verdict
    exit_code: Literal[0, 1, 3]
    summary: str
    schema_version: Literal[2]
    tool: str
    started: str  # UTC, RFC 3339; of a recording: when it was made
    seconds: float
    node: str
    versions: Versions = field(default_factory=Versions)  # of what runs there, as far as they are known
    recorded: bool = False  # whether it judges a recording
    notices: tuple[str, ...] = ()  # what the user has to know before anything else
    causes: tuple[CauseEntry, ...]  # worst first
    findings: tuple[FindingEntry, ...] = ()  # the others, which causes explain
    outcomes: ProbeOutcomes
    experiments: tuple[ExperimentEntry, ...] = ()
    copies: int = 0  # of the node's network, that were made for them
    changes: tuple[Made, ...] = ()  # of netdoctor, in force on this node
    asked_from: tuple[str, ...] = ()
    kubeconfig: str = ""
    remarks: tuple[str, ...] = ()
