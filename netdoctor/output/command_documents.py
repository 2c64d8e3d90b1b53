"""The JSON documents of the other commands, as their schemas describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from netdoctor.gateways.deployment import Deployment
from netdoctor.gateways.pod_failure import Failure
from netdoctor.gateways.status import ModuleStatus, SharedStatus
from netdoctor.model import Access, Risk
from netdoctor.output.gate_json import GateDocument
from netdoctor.output.report_document import ReportDocument
from netdoctor.rehearsal.rehearsal import RehearsalVerdict, TriedFlow
from netdoctor.repair.confirmation import Kept
from netdoctor.repair.executor import StepEnd
from netdoctor.repair.journal import Closed, EntryState
from netdoctor.repair.plan import NotRepairable
from netdoctor.system.traffic import Answer
from netdoctor.tracing.traced import Fate
from netdoctor.twin.walk import TraceStep


@dataclass(frozen=True, slots=True)
class ErrorDocument:
    """Why a command ended: what stands on standard output instead of its own document."""

    schema_version: Literal[1]
    error: str


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One change of a plan."""

    kind: str
    describe: str
    diff: str
    left_alone: str  # what undo does not restore


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One repair of a plan."""

    remedy: str
    probe: str
    risk: Risk
    why: str
    changes: tuple[PlannedChange, ...]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a repair."""

    remedy: str
    probe: str
    end: StepEnd
    why: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotRehearsed:
    """Why there is no rehearsal."""

    not_rehearsed: str


@dataclass(frozen=True, slots=True)
class Way:
    """Who reaches what, or did."""

    access: Access
    source: str
    who: str
    destination: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """What a repair does on a copy of the node."""

    flows: tuple[TriedFlow, ...]
    opened: tuple[Way, ...]
    closed: tuple[Way, ...]
    needless: tuple[Way, ...]  # of those opened: what the repair is not for
    ways: int  # that were tried
    not_shown: tuple[str, ...]
    refusal: str
    verdict: RehearsalVerdict
    untouched: tuple[str, ...]
    sampled: tuple[str, ...]
    unseen: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class ConfirmationResult:
    """Whether a repair that had to be confirmed is kept."""

    seconds: int
    state: Kept
    keep: str | None  # the command that keeps it, while that is open


@dataclass(frozen=True, slots=True)
class FixDocument:
    """What `netdoctor fix` has planned, rehearsed and made."""

    schema_version: Literal[2]
    tool: str
    dry_run: bool
    run: str | None
    declined: bool
    rehearsal: RehearsalResult | NotRehearsed | None  # null where there was nothing to rehearse
    plan: tuple[PlannedStep, ...]
    not_repairable: tuple[NotRepairable, ...]
    steps: tuple[StepResult, ...]
    confirmation: ConfirmationResult | None  # null where nothing had to be confirmed
    healthy: bool
    report: ReportDocument  # of the last look


@dataclass(frozen=True, slots=True)
class UndoDocument:
    """What `netdoctor undo` has done."""

    schema_version: Literal[1]
    run: str | None  # null where there was none to undo
    undone: bool
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunChange:
    """A change of a run."""

    step: str
    describe: str
    state: EntryState
    in_force: bool


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run of `netdoctor fix`."""

    run: str
    started: str
    by: str | None
    end: Closed | Literal["unfinished"]
    changes: tuple[RunChange, ...]


@dataclass(frozen=True, slots=True)
class RunsDocument:
    """What `netdoctor undo --list` lists."""

    schema_version: Literal[1]
    runs: tuple[RunEntry, ...]
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CauseOfStatus:
    """A cause in the network."""

    probe: str
    summary: str


@dataclass(frozen=True, slots=True)
class StatusDocument:
    """What `netdoctor status` has found."""

    namespace: str
    modules: tuple[ModuleStatus, ...]
    shared: tuple[SharedStatus, ...]
    cause: str
    schema_version: Literal[1]
    kubeconfig: str
    causes: tuple[CauseOfStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployDocument:
    """What `netdoctor deploy` has done; without a gate where it ended before it was asked."""

    schema_version: Literal[2]
    tool: str
    kubeconfig: str
    deployed: bool
    gate: GateDocument | None = None
    ok: bool | None = None
    result: Deployment | None = None
    cause: Failure | None = None  # why the rollout is not complete
    would_change: tuple[str, ...] = ()  # with --dry-run
    diff: str = ""
    seconds: Mapping[str, float] | None = None  # by stage


@dataclass(frozen=True, slots=True)
class EndEntry:
    """Where a flow begins."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """Where a flow goes to."""

    name: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class EndingEntry:
    """How a flow ended."""

    word: Fate
    text: str


@dataclass(frozen=True, slots=True)
class ReplyEntry:
    """What came back."""

    answer: Answer
    icmp: str


@dataclass(frozen=True, slots=True)
class HookEntry:
    """A packet in one hook."""

    hook: str
    interface_in: str
    interface_out: str
    packet: str
    passed: bool
    translations: tuple[dict[Literal["from", "to", "by"], str], ...]
    rules: tuple[TraceStep, ...]


@dataclass(frozen=True, slots=True)
class PassageEntry:
    """A packet's way through one network namespace."""

    where: str
    hooks: tuple[HookEntry, ...]


@dataclass(frozen=True, slots=True)
class TraceDocument:
    """What `netdoctor trace` has seen."""

    schema_version: Literal[1]
    tool: str
    node: str
    source: EndEntry
    destination: TargetEntry
    protocol: str
    arrived: bool
    ending: EndingEntry
    reply: ReplyEntry
    stop: TraceStep | None  # the rule that dropped it
    not_copied: tuple[str, ...]
    question: tuple[PassageEntry, ...]
    answer: tuple[PassageEntry, ...]
    error: tuple[PassageEntry, ...]
    later: tuple[PassageEntry, ...]
    steps: tuple[TraceStep, ...]
    kubeconfig: str
