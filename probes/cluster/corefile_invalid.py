"""The Corefile cannot be used.

## What it checks
The Corefile is not empty, and its blocks are closed. Which directives CoreDNS knows is not looked at.

## Why it matters
CoreDNS with a broken Corefile keeps the old one until its pod is made anew; the new pod does not start.

## By hand
`kubectl -n kube-system logs -l k8s-app=kube-dns --previous`; `kubectl -n kube-system edit configmap coredns`.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, probe
from netdoctor.facts.coredns import Corefile


@probe(explains=("coredns-not-ready", "cluster-dns-silent", "outside-names-unresolved", "postgres-name-unresolved"))
def corefile_invalid(corefile: Corefile) -> Iterator[Finding]:
    """A Corefile that CoreDNS refuses."""
    if corefile.problem:
        yield Finding(
            f"the Corefile cannot be used: {corefile.problem}",
            (Evidence("ConfigMap kube-system/coredns", corefile.problem, "as many blocks closed as opened"),),
        )
