"""Outside names do not resolve through the cluster DNS.

## What it checks
A query for a name that no cache can hold, to the cluster DNS address from each pod. NXDOMAIN is an answer from outside;
SERVFAIL means that CoreDNS got no answer from any upstream.

## Why it matters
Gateways call their providers by name.

## By hand
`nsenter --net=/proc/PID/ns/net dig @10.96.0.10 p12345.example.com`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.names import OUTSIDE_NAME, ClusterDns, UpstreamAnswers
from netdoctor.model import Confidence
from netdoctor.system.traffic import Answer


@probe(area=Area.DNS, healthy="outside names resolve", symptom=True, explains=("provider-name-unresolved",))
def outside_names_unresolved(
    names: ClusterDns, answers: UpstreamAnswers | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Questions for an outside name without an answer from outside."""
    lookups = names.of(OUTSIDE_NAME)
    if not lookups:
        raise CannotRead("cluster DNS", "there is no pod to ask from")
    # an upstream may itself say SERVFAIL or REFUSED to a name of the internet: then that is the answer from outside
    said = set() if isinstance(answers, CannotRead) else {x.reply.answer for x in answers.from_host()}
    fine = {Answer.OK, Answer.NXDOMAIN} | (
        said & {Answer.SERVFAIL, Answer.DNS_REFUSED} if Answer.OK not in said else set()
    )
    failed = [x for x in lookups if x.reply.answer not in fine]
    if failed:
        yield Finding(
            f"outside names do not resolve: the cluster DNS ({names.server}) has no answer from outside to "
            f"{len(failed)} of {len(lookups)} queries",
            tuple(x.evidence("an address or NXDOMAIN") for x in failed[:3]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
