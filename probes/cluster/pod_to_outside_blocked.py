"""Pods do not reach the outside.

## What it checks
A DNS query from each tested pod to every upstream resolver that answers the host itself: a pod must reach what the host
reaches, if it has an address of that family.

## Why it matters
CoreDNS is such a pod: outside names fail for every pod when it cannot reach its upstreams.

## By hand
`nsenter --net=/proc/PID/ns/net dig @UPSTREAM example.com`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.model import Confidence
from netdoctor.symptoms import PROVIDERS


@probe(
    area=Area.PODS, healthy="pods reach the outside", symptom=True, explains=("outside-names-unresolved", *PROVIDERS)
)
def pod_to_outside_blocked(answers: UpstreamAnswers, this: ThisNode) -> Iterator[Finding]:
    """Questions that the outside answers to the host and not to pods."""
    alive = {(x.upstream, x.transport) for x in answers.from_host() if x.reply.answered}
    asked = [x for x in answers.from_pods() if (x.upstream, x.transport) in alive]
    if not asked:
        raise CannotRead("the outside", "no upstream resolver that a pod can ask answers the host itself")
    failed = [x for x in asked if not x.reply.answered]
    if failed:
        pods = len({x.vantage for x in failed})
        yield Finding(
            f"{pods} of {len({x.vantage for x in asked})} pods cannot reach the outside; the node itself can",
            tuple(x.evidence("an answer, as the host gets") for x in failed[:3]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
