"""The cluster DNS does not answer queries for Service names.

## What it checks
A query for `kubernetes.default.svc` to the cluster DNS address from each pod, over UDP, and once over TCP.

## Why it matters
Modules find Postgres by its name.

## By hand
`nsenter --net=/proc/PID/ns/net dig @10.96.0.10 kubernetes.default.svc.cluster.local`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.names import SERVICE_NAME, ClusterDns
from netdoctor.model import Confidence
from netdoctor.system.traffic import Answer


@probe(
    area=Area.DNS,
    healthy="cluster names resolve",
    symptom=True,
    explains=("outside-names-unresolved", "postgres-name-unresolved", "provider-name-unresolved"),
)
def cluster_dns_silent(names: ClusterDns, this: ThisNode) -> Iterator[Finding]:
    """Questions for a Service's name without the right answer."""
    lookups = names.of(SERVICE_NAME)
    if not lookups:
        raise CannotRead("cluster DNS", "there is no pod to ask from")
    failed = [x for x in lookups if x.reply.answer is not Answer.OK]
    if failed:
        silent = all(x.reply.answer is Answer.TIMEOUT for x in failed)
        how = "did not answer" if silent else f"gave no address ({failed[0].reply}) for"
        yield Finding(
            f"the cluster DNS ({names.server}) {how} {len(failed)} of {len(lookups)} queries for Service names",
            tuple(x.evidence("an address") for x in failed[:3]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
