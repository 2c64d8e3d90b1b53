"""What the modules need of the network, as one verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from netdoctor.model import Diagnosis, Outcome, Result, Severity


class Verdict(StrEnum):
    """Whether the modules may go out."""

    OPEN = "open"
    CLOSED = "closed"
    NOT_VERIFIED = "not verified"

    @property
    def exit_code(self) -> int:
        """0 open, 1 closed, 3 not verified."""
        return {Verdict.OPEN: 0, Verdict.CLOSED: 1, Verdict.NOT_VERIFIED: 3}[self]


# what the modules need, and the probe that asks for it
NEEDS = {
    "the CNI can connect a pod": "cni-config-unusable",
    "a new pod gets a network": "new-pod-without-network",
    "ClusterIPs answer": "cluster-ip-unreachable",
    "the cluster DNS answers": "cluster-dns-silent",
    "the name of Postgres resolves": "postgres-name-unresolved",
    "Postgres accepts connections": "postgres-unreachable",
    "Postgres speaks": "postgres-tls-broken",
    "the login works": "postgres-login-refused",
    "Postgres answers a query": "postgres-query-failing",
    "outside names resolve": "outside-names-unresolved",
    "pods reach the outside": "pod-to-outside-blocked",  # on new ports: CoreDNS may live on an old connection
}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that the modules need."""

    name: str
    met: str  # yes, no, unknown
    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdict, what it rests on, and the causes where it is closed."""

    verdict: Verdict
    needs: tuple[Need, ...]
    causes: tuple[Diagnosis, ...]
    schema_version: int = 1


def judge(results: Mapping[str, Result], diagnoses: tuple[Diagnosis, ...]) -> Gate:
    """Closed when a need is not met, not verified when one could not be asked, else open."""
    needs = tuple(_need(name, results[probe]) for name, probe in NEEDS.items())
    causes = tuple(d for d in diagnoses if d.cause.severity is Severity.ERROR and _touches(d))
    if any(need.met == "no" for need in needs):
        return Gate(Verdict.CLOSED, needs, causes)
    if any(need.met == "unknown" for need in needs):
        return Gate(Verdict.NOT_VERIFIED, needs, causes)
    return Gate(Verdict.OPEN, needs, ())


def _touches(diagnosis: Diagnosis) -> bool:
    named = {diagnosis.cause.probe, *(f.probe for f in diagnosis.symptoms)}
    return bool(named & set(NEEDS.values())) or not diagnosis.unexplained


def _need(name: str, result: Result) -> Need:
    if result.outcome is Outcome.PASS:
        return Need(name, "yes", "")
    if result.outcome is Outcome.FAIL:
        return Need(name, "no", result.findings[0].summary)
    if result.outcome is Outcome.NOT_APPLICABLE:  # no Postgres at all: what the modules need is not there
        return Need(name, "no", result.reason)
    return Need(name, "unknown", result.reason)
