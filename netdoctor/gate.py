"""What the modules need of the cluster and the network, as one verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from netdoctor.catalogue import Catalogue
from netdoctor.check import look
from netdoctor.errors import NetdoctorError
from netdoctor.facts import Facts
from netdoctor.facts.modules import Modules
from netdoctor.facts.new_pod import NewPod
from netdoctor.facts.scope import Scope
from netdoctor.model import Diagnosis, Outcome, Result, Severity
from netdoctor.modules.kustomization import EnvMissing, Kustomization


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
SECRETS = "the secrets are there"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that the modules need."""

    name: str
    met: str  # yes, no, unknown, later (the deployment brings it)
    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdict, what it rests on, and the causes where it is not open."""

    verdict: Verdict
    reason: str  # one sentence: the first cause, or what could not be asked; "" when open
    needs: tuple[Need, ...]
    causes: tuple[Diagnosis, ...]
    source: str  # where the modules are described; "" where none are known
    namespace: str  # of the modules
    modules: tuple[str, ...]
    asked_from: str  # the test pod, in words; "" where there was none
    seconds: float
    schema_version: int = 1


def ask(
    kustomization: Kustomization | None,
    watch: Callable[[Facts], object] | None = None,
    *,
    unbuilt: NetdoctorError | None = None,
) -> Gate:
    """Ask for everything that these modules need, or those in the cluster, or without any the network alone.

    `unbuilt` says why there is no kustomization where one was named.
    """
    begin = time.monotonic()
    given: dict[type, object] = {Scope: Scope(modules_only=True)}
    if kustomization:
        given[Kustomization] = kustomization
    catalogue = Catalogue.load()
    facts = Facts(given)
    seen = look(catalogue, facts, watch=watch)
    return judge(seen.results, seen.diagnoses, facts.known(), time.monotonic() - begin, unbuilt)


def judge(
    results: Mapping[str, Result],
    diagnoses: tuple[Diagnosis, ...],
    known: Mapping[type, object],
    seconds: float = 0.0,
    unbuilt: NetdoctorError | None = None,
) -> Gate:
    """Closed when a need is not met, not verified when one could not be asked, else open."""
    modules, pod = known.get(Modules), known.get(NewPod)
    needs = [_need(name, results[probe]) for name, probe in NEEDS.items()]
    if unbuilt:
        needs.append(_unbuilt(unbuilt))
    causes = tuple(d for d in diagnoses if d.cause.severity is Severity.ERROR and _touches(d))
    unmet = [need for need in needs if need.met == "no"]
    unknown = [need for need in needs if need.met == "unknown"]
    if unmet:
        verdict, reason = Verdict.CLOSED, causes[0].cause.summary if causes else unmet[0].reason
    elif unknown:
        verdict, reason = Verdict.NOT_VERIFIED, causes[0].cause.summary if causes else unknown[0].reason
    else:
        verdict, reason, causes = Verdict.OPEN, "", ()
    told = modules if isinstance(modules, Modules) else None
    return Gate(
        verdict, reason, tuple(needs), causes, told.source if told else "", told.namespace if told else "",
        tuple(g.name for g in told.gateways) if told else (),
        f"test pod {pod.namespace}/{pod.name}" if isinstance(pod, NewPod) else "", round(seconds, 2),
    )  # fmt: skip


def _unbuilt(error: NetdoctorError) -> Need:
    if isinstance(error, EnvMissing):
        return Need(SECRETS, "no", str(error))
    return Need("the manifests can be read", "unknown", str(error))


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
