"""By the node's clock a certificate of the cluster is not valid.

## What it checks
The dates of the kubelet's client certificate, and, where an API server of kubeadm or minikube runs here, of the
certificates in its folder, against the node's clock.

## Why it matters
An expired certificate of the API server makes every client refuse it; one of the kubelet keeps the node from reporting
and from starting pods. Certificates of kubeadm last one year. One that is *not yet* valid means that the clock is
wrong, or was wrong when the certificate was made: after a suspended virtual machine, or without NTP.

## When it is not a fault
It is a warning where the API server answers and the node is ready, and where a certificate only expires soon: in 14
days, or in the last tenth of a shorter term, by when the kubelet has renewed its own.

## By hand
`date -u` and `chronyc tracking` for the clock; `kubeadm certs check-expiration`, `kubeadm certs renew all`, then
restart the static pods. `openssl x509 -noout -dates -in FILE` shows one.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.certificate_terms import OF_KUBELET, CertificateTerms, Term
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.system.clock import utc
from netdoctor.system.kube_api import KubeApi

DAY = 86_400  # seconds
SOON, LAST_PART = 14 * DAY, 10  # of a term
EARLY, EXPIRED, SOON_EXPIRED = "is not valid before", "has expired on", "expires on"
EXPLAINED = ("api-server-unreachable", "new-pod-without-network", "kube-proxy-not-running", "coredns-not-ready")


@probe(area=Area.NODE, healthy="certificates are valid by the node's clock", explains=EXPLAINED)
def certificate_not_valid(terms: CertificateTerms, api: KubeApi | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """What is not valid yet, or no longer; then what expires soon."""
    hurts = bool(this.problem) or (isinstance(api, CannotRead) and api.why is Why.NO_ANSWER)
    for says, found in _out_of_term(terms).items():
        if found:
            yield _finding(found, terms.clock, says, this.name, hurts=hurts and says != SOON_EXPIRED)


def _out_of_term(terms: CertificateTerms) -> dict[str, list[Term]]:
    """The certificates that are wrong, by what is said of them."""
    now = terms.clock
    return {
        EARLY: [term for term in terms.items if term.begins > now],
        EXPIRED: [term for term in terms.items if term.ends < now],
        SOON_EXPIRED: [term for term in terms.items if term.begins <= now <= term.ends and _ends_soon(term, now)],
    }


def _ends_soon(term: Term, now: int) -> bool:
    return term.ends - now < min(SOON, (term.ends - term.begins) // LAST_PART)


def _finding(found: list[Term], now: int, says: str, node: str, *, hurts: bool) -> Finding:
    others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    is_early = says == EARLY
    moment = found[0].begins if is_early else found[0].ends
    clock = "" if says == SOON_EXPIRED else f": the node's clock says {utc(now)}"
    return Finding(
        f"the certificate {found[0].path}{others} {says} {utc(moment)}{clock}",
        tuple(_evidence(term, now) for term in found[:3]),
        Subject(node=node) if all(term.path in OF_KUBELET for term in found) else Subject(),
        severity=Severity.ERROR if hurts else Severity.WARNING,
        confidence=Confidence.CONFIRMED,
        by_hand=command("sudo chronyc tracking") if is_early else command("sudo kubeadm certs check-expiration"),
    )


def _evidence(term: Term, now: int) -> Evidence:
    value = f"{utc(term.begins)} to {utc(term.ends)}"
    expected = f"a term that holds {utc(now)}"
    return Evidence(f"term of {term.path}", value, expected, Values(file=term.path, value=value, expected=expected))
