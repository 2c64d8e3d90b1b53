"""Upstream resolvers of CoreDNS do not answer.

## What it checks
Each upstream of the Corefile's forward lines for the root zone, one by one, over UDP and TCP, from the host itself. One
that does not answer the host is dead for everybody: no rule on the way from pods is to blame. Resolvers of stub domains
are not asked: other names do not depend on them. An IPv6 upstream is of no use to a CoreDNS that has IPv4 alone.

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
from netdoctor.facts.cluster.coredns import Corefile, Upstreams
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.traffic.names import UpstreamAnswers, can_ask
from netdoctor.facts.traffic.vantage import HOST, VantagePoints


@probe(explains=("outside-names-unresolved",))
def coredns_upstream_dead(
    corefile: Corefile,  # noqa: ARG001 - without it nobody knows whom CoreDNS asks
    upstreams: Upstreams,
    answers: UpstreamAnswers,
    points: VantagePoints,
    firewalld: Firewalld | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Upstreams that answer nobody on this host."""
    if not upstreams.items:
        raise NotApplicable("the Corefile forwards to no address")
    asked = {x.upstream for x in answers.lookups}
    if not asked:
        raise CannotRead("CoreDNS's upstreams", "on its own loopback, and CoreDNS is not on this node")
    dead = [u for u in upstreams.items if u in asked and u not in answers.alive()]
    coredns = [p for p in points.pods if p.is_coredns]
    barred = [u for u in upstreams.items if u not in dead and coredns and not any(can_ask(p, u) for p in coredns)]
    every = len(dead) + len(barred) == len(upstreams.items)
    if not dead and not every:
        return
    names = ", ".join(str(u) for u in dead)
    of_dead = [x for x in answers.lookups if x.upstream in dead and (x.vantage == HOST or x.upstream.on_loopback)]
    evidence = [Evidence(str(x), str(x.reply), "an answer") for x in of_dead] + [
        Evidence(upstreams.source, f"forward . {' '.join(str(u) for u in upstreams.items)}", "resolvers that answer")
    ]
    cleared = [x for x in answers.from_pods() if x.upstream not in dead and x.reply.answered]
    innocent = ""
    if not isinstance(firewalld, CannotRead) and firewalld.running and any(x.vantage == HOST for x in of_dead):
        innocent = "; firewalld is not to blame, for the host's own questions are not answered either"
    if cleared:
        evidence.append(Evidence(str(cleared[0]), str(cleared[0].reply), "an answer"))
    many = "all" if len(dead) == len(upstreams.items) else len(dead)
    said = [f"{many} of CoreDNS's {len(upstreams.items)} upstream resolvers answer nobody ({names})"] if dead else []
    if every and barred:
        said.append(f"CoreDNS has no address to ask {', '.join(str(u) for u in barred)} from")
        evidence += [Evidence(p.name, p.address, "an address of the upstream's family") for p in coredns]
    yield Finding(
        f"{', and '.join(said)}: outside names {'do not resolve' if every else 'are slow'}{innocent}",
        tuple(evidence),
        Subject(node=this.name, upstream="" if every else names),
        severity=Severity.ERROR if every else Severity.WARNING,
    )
