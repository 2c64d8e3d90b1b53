"""Upstream resolvers of CoreDNS do not answer.

## What it checks
Each upstream of the Corefile's forward lines, one by one, over UDP and TCP, from the host itself. One that does not
answer the host is dead for everybody: no rule on the way from pods is to blame.

## Why it matters
CoreDNS gives an upstream two seconds before it tries another. With all of them dead no outside name resolves; with one
of two dead some names are slow.

## By hand
`dig @UPSTREAM example.com`, then name a resolver that answers in the Corefile's `forward` line
(`kubectl -n kube-system edit configmap coredns`).
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Severity, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.coredns import Corefile, Upstreams
from netdoctor.facts.firewalld import Firewalld
from netdoctor.facts.names import UpstreamAnswers, answered
from netdoctor.facts.this_node import ThisNode


@probe(explains=("outside-names-unresolved",))
def coredns_upstream_dead(
    corefile: Corefile,  # noqa: ARG001 - without it nobody knows whom CoreDNS asks
    upstreams: Upstreams,
    answers: UpstreamAnswers,
    firewalld: Firewalld | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Upstreams that answer nobody on this host."""
    if not upstreams.items:
        raise NotApplicable("the Corefile forwards to no address")
    dead = [u for u in upstreams.items if u not in answers.alive()]
    if not dead:
        return
    every = len(dead) == len(upstreams.items)
    names = ", ".join(str(u) for u in dead)
    evidence = [Evidence(str(x), str(x.reply), "an answer") for x in answers.from_host() if x.upstream in dead] + [
        Evidence(upstreams.source, f"forward . {' '.join(str(u) for u in upstreams.items)}", "resolvers that answer")
    ]
    cleared = [x for x in answers.from_pods() if x.upstream not in dead and answered(x.reply)]
    innocent = ""
    if not isinstance(firewalld, CannotRead) and firewalld.running:
        innocent = "; firewalld is not to blame, for the host's own questions are not answered either"
    if cleared:
        evidence.append(Evidence(str(cleared[0]), str(cleared[0].reply), "an answer"))
    yield Finding(
        f"{'all' if every else len(dead)} of CoreDNS's {len(upstreams.items)} upstream resolvers answer nobody "
        f"({names}): outside names {'do not resolve' if every else 'are slow'}{innocent}",
        tuple(evidence),
        Subject(node=this.name, upstream="" if every else names),
        severity=Severity.ERROR if every else Severity.WARNING,
    )
