"""Postgres does not accept connections.

## What it checks
A TCP connection to the ClusterIP of each Postgres Service, from the test pod and from older pods.

## Why it matters
The modules wait at startup until this connection succeeds.

## By hand
`nsenter --net=/proc/PID/ns/net nc -vz CLUSTER_IP 5432`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.postgres import TCP, Postgres


@probe(area=Area.POSTGRES, healthy="Postgres accepts connections", symptom=True)
def postgres_unreachable(postgres: Postgres, this: ThisNode) -> Iterator[Finding]:
    """Postgres does not accept connections."""
    yield from postgres.findings(TCP, this.name, "Postgres does not accept connections", expected="connected")
