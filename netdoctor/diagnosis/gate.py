"""What the modules need of the cluster and the network, as one verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.errors import BadInput, NetdoctorError
from netdoctor.facts import Facts
from netdoctor.facts.gateways.gateway_objects import WORKLOADS, is_gateway
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.gateways.kustomization import EnvMissing, Kustomization
from netdoctor.facts.gateways.scope import Scope
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.postgres import Postgres
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


SECRETS = "secret-key-missing"
# the probes that ask for what the gateways need; each need is called by its probe's healthy title
NEEDS = (
    "cni-config-unusable",
    "new-pod-without-network",
    "cluster-ip-unreachable",
    "kube-proxy-not-running",
    "kube-proxy-not-following",
    "cluster-dns-silent",
    "policy-isolates-modules",
    "database-url-unreadable",
    "postgres-name-unresolved",
    "postgres-unreachable",
    "postgres-tls-broken",
    "postgres-login-refused",
    "database-slots-exhausted",
    "postgres-query-failing",
    "outside-names-unresolved",
    "pod-to-outside-blocked",  # on new ports: CoreDNS may live on an old connection
    "provider-name-unresolved",
    "provider-unreachable",
    "node-port-taken",
    "host-port-taken",
    "image-not-obtainable",
    SECRETS,
)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that the modules need."""

    name: str  # what is true where it is met
    met: str  # yes, no, unknown, later (the deployment brings it)
    reason: str
    probe: str = ""  # the probe that asks for it, "" where none does


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
    recorded: bool = False  # whether it judges a recording


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
        require_gateways(kustomization)
        given[Kustomization] = kustomization
    catalogue = Catalogue.load()
    facts = Facts(given)
    seen = look(catalogue, facts, watch=watch)
    return judge(seen.results, seen.diagnoses, facts.known(), time.monotonic() - begin, unbuilt)


def ask_recorded(facts: Facts) -> Gate:
    """Judge what was recorded of what the modules in that cluster need; without any, of its network alone."""
    begin = time.monotonic()
    seen = look(Catalogue.load(), facts)
    judged = judge(seen.results, seen.diagnoses, facts.known(), time.monotonic() - begin)
    return replace(judged, recorded=True)


def require_gateways(kustomization: Kustomization) -> None:
    """Raise BadInput where no workload of the manifests is a gateway."""
    if not any(is_gateway(o) for o in kustomization.objects if o.get("kind") in WORKLOADS):
        raise BadInput(f"{kustomization.folder} has no workload of LiteLLM")


def judge(
    results: Mapping[str, Result],
    diagnoses: tuple[Diagnosis, ...],
    known: Mapping[type, object],
    seconds: float = 0.0,
    unbuilt: NetdoctorError | None = None,
) -> Gate:
    """Closed when a need is not met, not verified when one could not be asked, else open."""
    modules = known.get(Modules)
    told = modules if isinstance(modules, Modules) else None
    needs = _needs(results, told, known.get(Postgres))
    if unbuilt:
        needs = [need for need in needs if need.probe != SECRETS] + [_unbuilt(unbuilt)]
    verdict = _verdict(needs)
    causes: list[Diagnosis] = []
    reason = ""
    if verdict is not Verdict.OPEN:
        causes = _causes(diagnoses, needs)
        reason = causes[0].cause.summary if causes else _first_reason(needs, verdict)
    return Gate(
        verdict=verdict,
        reason=reason,
        needs=tuple(needs),
        causes=tuple(causes),
        source=told.source if told else "",
        namespace=told.namespace if told else "",
        modules=tuple(gateway.name for gateway in told.gateways) if told else (),
        asked_from=_asked_from(known.get(NewPod)),
        seconds=round(seconds, 2),
    )


def _needs(results: Mapping[str, Result], modules: Modules | None, postgres: object) -> list[Need]:
    """What these modules need, in the order of NEEDS."""
    later = postgres.later if isinstance(postgres, Postgres) else ()
    found = [_need(results[name], modules, later) for name in NEEDS]
    return [need for need in found if need]


def _verdict(needs: list[Need]) -> Verdict:
    met = {need.met for need in needs}
    if "no" in met:
        return Verdict.CLOSED
    if "unknown" in met:
        return Verdict.NOT_VERIFIED
    return Verdict.OPEN


def _first_reason(needs: list[Need], verdict: Verdict) -> str:
    """Why the first need that decided this verdict is not met, or could not be asked."""
    met = "no" if verdict is Verdict.CLOSED else "unknown"
    return next(need.reason for need in needs if need.met == met)


def _causes(diagnoses: tuple[Diagnosis, ...], needs: list[Need]) -> list[Diagnosis]:
    """First what keeps the modules from something, then causes beside it that nobody misses yet."""
    missed = {need.probe for need in needs if need.met in ("no", "unknown")}
    errors = [diagnosis for diagnosis in diagnoses if diagnosis.cause.severity is Severity.ERROR]
    explaining = [diagnosis for diagnosis in errors if _explains(diagnosis, missed)]
    beside = [diagnosis for diagnosis in errors if not _explains(diagnosis, missed) and not diagnosis.unexplained]
    return explaining + beside


def _asked_from(pod: object) -> str:
    if not isinstance(pod, NewPod):
        return ""
    return f"test pod {pod.namespace}/{pod.name}" + (f" with the labels of {pod.like}" if pod.like else "")


def _unbuilt(error: NetdoctorError) -> Need:
    if isinstance(error, EnvMissing):
        return Need(_title(SECRETS), "no", str(error), SECRETS)
    return Need("the manifests can be read", "unknown", str(error))


def _explains(diagnosis: Diagnosis, missed: set[str]) -> bool:
    return bool({diagnosis.cause.probe, *(f.probe for f in diagnosis.symptoms)} & missed)


def _need(result: Result, modules: Modules | None, later: tuple[str, ...]) -> Need | None:
    """The need, as its probe answered; None where these modules have no such need."""
    name = _title(result.probe)
    if result.outcome is Outcome.PASS:
        return Need(name, "yes", "", result.probe)
    if result.outcome is Outcome.FAIL and all(f.severity is Severity.WARNING for f in result.findings):
        return Need(name, "yes", result.findings[0].summary, result.probe)
    if result.outcome is Outcome.FAIL:
        return Need(name, "no", result.findings[0].summary, result.probe)
    if result.outcome is not Outcome.NOT_APPLICABLE:
        return Need(name, "unknown", result.reason, result.probe)
    about_postgres = result.probe.startswith(("postgres-", "database-"))
    if about_postgres and later:
        return Need(name, "later", result.reason, result.probe)
    if modules or not result.probe.startswith("postgres-"):
        return None
    return Need(name, "no", result.reason, result.probe)  # no Postgres at all: what the modules need is not there


def _title(probe: str) -> str:
    """What is true where the probe finds no fault."""
    return Catalogue.load().probes[probe].healthy_title
