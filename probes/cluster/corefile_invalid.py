"""The Corefile cannot be used.

## What it checks
The Corefile is not empty, and its blocks are closed. When CoreDNS is not ready: whether the log of its pods says that
it exited because of its Corefile (an unknown directive, a value that a plugin rejects). When CoreDNS runs since before
the Corefile was last changed: whether its log says that it could not load the new one, which is a warning.

## Why it matters
CoreDNS with a broken Corefile keeps the old one until its pod is replaced; the new pod does not start.

## By hand
`kubectl -n kube-system logs -l k8s-app=kube-dns --previous`; `kubectl -n kube-system edit configmap coredns`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.cluster.corefile_refusal import CorefileRefusal
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.model import Confidence, Severity
from netdoctor.shell import command

EDIT = "kubectl -n kube-system edit configmap coredns"


@probe(
    area=Area.DNS,
    healthy="the Corefile is valid",
    explains=("coredns-not-ready", "cluster-dns-silent", "outside-names-unresolved", "postgres-name-unresolved"),
)
def corefile_invalid(
    corefile: Corefile, refusal: CorefileRefusal | CannotRead, services: Services, endpoints: EndpointSlices
) -> Iterator[Finding]:
    """A Corefile that CoreDNS refuses."""
    if corefile.problem:
        yield Finding(
            f"the Corefile cannot be used: {corefile.problem}",
            (Evidence("ConfigMap kube-system/coredns", corefile.problem, "as many blocks closed as opened"),),
            confidence=Confidence.CONFIRMED,
            by_hand=command(EDIT),
        )
    elif isinstance(refusal, CannotRead):
        service = services.cluster_dns
        if service and not endpoints.ready(service):
            raise refusal
    elif refusal.runs:
        at = f" (line {refusal.line})" if refusal.line else ""
        yield Finding(
            f"CoreDNS runs with its old Corefile, and will not start with the new one{at}: {refusal.said}",
            (Evidence(f"log of pod {refusal.pod}", f"reload failed: {refusal.said}", "a reload without an error"),),
            severity=Severity.WARNING,
            confidence=Confidence.CONFIRMED,
            by_hand=_edit(refusal),
        )
    elif refusal.pod:
        where = f"line {refusal.line} of the Corefile" if refusal.line else "the Corefile"
        yield Finding(
            f"CoreDNS does not start because of {where}: {refusal.said}",
            (Evidence(f"log of pod {refusal.pod}", refusal.said, "a start without an error"),),
            confidence=Confidence.CONFIRMED,
            by_hand=_edit(refusal),
        )


def _edit(refusal: CorefileRefusal) -> tuple[str, ...]:
    return command(EDIT + "  # line {}", refusal.line) if refusal.line else command(EDIT)
