"""The nouns of netdoctor. Standard library only; everything here is immutable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from netdoctor.values import Values, Versions

if TYPE_CHECKING:
    from netdoctor.system.host import Host


class Outcome(StrEnum):
    """What became of a probe: XCCDF's words, and `blocked`."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"  # could not tell: no permission, tool missing, timed out
    NOT_APPLICABLE = "not-applicable"
    BLOCKED = "blocked"  # something that it requires did not pass


UNASKED = (Outcome.UNKNOWN, Outcome.BLOCKED)  # whether the fault is there could not be asked


class Severity(StrEnum):
    """How much a finding matters; only errors make a node faulty."""

    ERROR = "error"
    WARNING = "warning"


class Area(StrEnum):
    """What a probe is about, in the order of the report."""

    NODE = "node"
    PODS = "pods"
    SERVICES = "services"
    DNS = "dns"
    POSTGRES = "postgres"
    GATEWAYS = "gateways"


class Risk(StrEnum):
    """What applying a remedy may cost. Set by its author, enforced by the command line."""

    SAFE = "safe"  # nothing that worked stops working
    MANUAL = "manual"  # shown, never applied


class Access(StrEnum):
    """Who reaches what: the classes in which a rehearsal compares a node before and after a repair."""

    POD_TO_NODE = "pod to node"
    POD_TO_POD = "pod to pod"
    POD_TO_OUTSIDE = "pod to outside"
    POD_TO_SERVICE = "pod to Service"
    OUTSIDE_TO_NODE = "outside to node"
    OUTSIDE_TO_NODE_PORT = "outside to NodePort"
    OUTSIDE_TO_POD = "outside to pod"
    POD_TO_OTHER_PORT = "pod to another port of the node"  # neither API server, kubelet, DNS nor a Service's end
    PERSON = "person on the node"  # who is logged in by ssh now
    CONNECTED = "connected now"  # who else has a connection to a listening socket
    NAMED_SOURCE = "source that a rule names"
    NODE_TO_OUTSIDE = "node to outside"  # what the node is connected to now
    TRANSIT = "transit between uplinks"


FROM_PODS = (Access.POD_TO_NODE, Access.POD_TO_POD, Access.POD_TO_OUTSIDE, Access.POD_TO_SERVICE)


class Confidence(StrEnum):
    """How sure a cause is: likely, unless its probe or an experiment says that it is confirmed."""

    CONFIRMED = "confirmed"  # the fault was seen: in traffic, or in the very state that it consists of
    LIKELY = "likely"  # a state that could cause it speaks for it, and nothing was seen to fail


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about. A field left empty means all of that kind."""

    node: str = ""
    namespace: str = ""
    pod: str = ""
    service: str = ""
    upstream: str = ""

    def covers(self, other: Subject) -> bool:
        """Whether a cause about this subject may explain a symptom about the other one."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return all(mine in ("", theirs) for mine, theirs in pairs)

    def __str__(self) -> str:
        """The parts that are set, most general first, as in `node minikube, pod default/client`."""
        parts = [f"node {self.node}"] if self.node else []
        for kind, name in (("pod", self.pod), ("Service", self.service)):
            if name:
                parts.append(f"{kind} {self.namespace}/{name}" if self.namespace else f"{kind} {name}")
        if self.upstream:
            parts.append(f"upstream {self.upstream}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was observed: where, what, and what a healthy node shows there."""

    source: str
    observed: str
    expected: str
    data: Values = field(default_factory=Values)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, present: a sentence with the real values and the consequence, and what shows it."""

    summary: str
    evidence: tuple[Evidence, ...]
    subject: Subject = field(default_factory=Subject)
    severity: Severity = Severity.ERROR
    confidence: Confidence = Confidence.LIKELY
    since: str = ""  # when it began, if that is known
    probe: str = ""  # filled in by the runner
    by_hand: tuple[str, ...] = ()  # what to type, with the values found, where no remedy repairs it
    wanted: bool = False  # a state that somebody has asked for, and that no fault of the network brings about


class NotApplicable(Exception):
    """Raised by a probe whose question does not arise on this node; the text says why."""


class NeedsTheNode(NotApplicable):
    """Raised by a remedy that cannot be planned for a recording: it has to ask the node itself."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A judge of facts. `name` is its file's name with hyphens."""

    name: str
    run: Callable[..., Iterator[Finding]]
    requires: tuple[str, ...]
    explains: tuple[str, ...]
    symptom: bool  # what users see; without a cause above it, it is unexplained
    manual: str  # the module's docstring
    area: Area = Area.NODE
    healthy: str = ""  # the title where the fault is absent
    act: bool = False  # it names what somebody did: what repairs its effects repairs it

    def __call__(self, *facts: Any) -> tuple[Finding, ...]:
        """Judge the given facts (in the order of the parameters). Raises NotApplicable, CannotRead."""
        return tuple(replace(finding, probe=self.name) for finding in self.run(*facts))

    @property
    def title(self) -> str:
        """The first line of the manual page, which states the fault."""
        return self.manual.strip().partition("\n")[0].rstrip(".")

    @property
    def healthy_title(self) -> str:
        """What is true where the fault is absent; its name where nobody has said it."""
        return self.healthy or self.name


@runtime_checkable
class Change(Protocol):
    """One reversible edit, as data: a frozen dataclass whose fields are all JSON.

    It carries what it was planned from. `undo` is right after a half-done `apply`, and after an undo.
    """

    kind: ClassVar[str]

    def describe(self) -> str:
        """One line: what will be different."""

    def diff(self) -> str:
        """The exact change, as a person would read or do it."""

    def check(self, host: Host) -> None:
        """Raise Drifted unless the world is still what the plan saw."""

    def apply(self, host: Host) -> None:
        """Make the change."""

    def undo(self, host: Host) -> str | None:
        """Undo it; one sentence on what stays because somebody else has changed or uses it, if anything does.

        Raises Drifted where nothing can be undone for that reason.
        """

    def rehearse(self, host: Host) -> None:
        """Make the change in a copy of the node's network, which the calling thread is in.

        It touches nothing else: no file, no daemon, no API server. Raises NotRehearsable where it cannot be shown so.
        """


@dataclass(frozen=True, slots=True)
class Remedy:
    """A repair of what one probe finds, as a plan of changes."""

    name: str
    fixes: str
    plan: Callable[..., Iterator[Change]]
    risk: Risk
    manual: str
    opens: tuple[Access, ...] = ()  # what it is meant to open

    def __call__(self, findings: tuple[Finding, ...], *facts: Any) -> tuple[Change, ...]:
        """The changes that are needed now; none if there is nothing to do."""
        return tuple(self.plan(findings, *facts))

    @property
    def title(self) -> str:
        """The first line of the manual page."""
        return self.manual.strip().partition("\n")[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one probe. Every probe has one: silence is not a pass."""

    probe: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    blocked_by: tuple[str, ...] = ()
    seconds: float = 0.0
    starting: bool = False  # unknown because what it asks about was started a moment ago


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause and the findings that it explains. An unexplained symptom is a diagnosis of its own."""

    cause: Finding
    symptoms: tuple[Finding, ...] = ()
    unexplained: bool = False
    remedies: tuple[str, ...] = ()
    confidence: Confidence = Confidence.LIKELY
    proof: str = ""  # what copies of the node showed, in one sentence
    see: str = ""  # the arguments with which `netdoctor trace` shows a failing packet


@dataclass(frozen=True, slots=True)
class Experiment:
    """A flow that failed, asked once more in a copy of the node, and what let it pass there."""

    flow: str
    node: str  # how it ended on the node
    copy: str  # how it ended in the copy
    alike: bool
    ended: str  # where in the copy: the rule, or the last place; "" where it arrived
    cures: tuple[tuple[str, ...], ...]  # smallest sets of changes, each enough alone
    necessary: tuple[bool, ...]  # of each: whether everything else together was not enough


@dataclass(frozen=True, slots=True)
class Made:
    """A change of an earlier repair that is in force now."""

    run: str
    remedy: str
    change: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that a run found out, ready to be written."""

    results: tuple[Result, ...]
    diagnoses: tuple[Diagnosis, ...]
    node: str
    vantage_points: tuple[str, ...]
    started: str  # UTC, RFC 3339
    seconds: float
    tool: str
    notices: tuple[str, ...] = ()  # what the user has to know before anything else
    changes: tuple[Made, ...] = ()  # what netdoctor has changed on this node and not undone
    experiments: tuple[Experiment, ...] = ()
    copies: int = 0  # of the node's network, that were made for them
    kubeconfig: str = ""  # the file by which the API server was asked
    about: tuple[str, ...] = ()  # versions and modes of what runs here, in words
    remarks: tuple[str, ...] = ()  # what hardly anybody has to know
    recorded: bool = False  # whether it judges a recording
    versions: Versions = field(default_factory=Versions)

    @property
    def exit_code(self) -> Literal[0, 1, 3]:
        """0 healthy, 1 faults, 3 could not tell."""
        if any(d.cause.severity is Severity.ERROR for d in self.diagnoses):
            return 1
        return 3 if any(result.outcome in UNASKED for result in self.results) else 0
