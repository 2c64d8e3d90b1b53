"""ClusterIPs do not answer.

## What it checks
A TCP connection to the ClusterIPs of the API server and of the cluster DNS, from the host and from each tested pod, if
the Service has a ready endpoint.

## Why it matters
Modules reach DNS, Postgres and each other by ClusterIP. The API server's ClusterIP proves little about forwarding: its
endpoint is the node itself.

## By hand
`nsenter --net=/proc/PID/ns/net nc -vz CLUSTER_IP PORT`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.reach import CLUSTER_IP, Reach
from netdoctor.model import Confidence
from netdoctor.symptoms import SERVICES
from netdoctor.system.traffic import Answer


@probe(
    area=Area.SERVICES,
    healthy="ClusterIPs answer",
    symptom=True,
    explains=("cluster-dns-silent", "coredns-not-ready", "postgres-unreachable", *SERVICES),
)
def cluster_ip_unreachable(reach: Reach, this: ThisNode) -> Iterator[Finding]:
    """Connections to ClusterIPs that were not accepted."""
    flows = reach.of(CLUSTER_IP)
    if not flows:
        raise CannotRead("ClusterIPs", "no Service to ask is known, or none has a ready endpoint")
    failed = [f for f in flows if f.reply.answer is not Answer.OK]
    if failed:
        first = {f.target: f for f in reversed(failed)}
        yield Finding(
            f"{len(failed)} of {len(flows)} connections to ClusterIPs are not accepted ({', '.join(sorted(first))})",
            tuple(f.evidence("connected") for f in first.values()),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
        )
