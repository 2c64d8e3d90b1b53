"""The name of Postgres does not resolve.

## What it checks
The Service's full name, asked of the cluster DNS from the test pod and from older pods, gives its ClusterIP.

## Why it matters
Modules connect to `postgres:5432`: without the name there is no address to connect to.

## By hand
`nsenter --net=/proc/PID/ns/net dig @10.96.0.10 postgres.default.svc.cluster.local`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.postgres import NAME, Postgres


@probe(area=Area.POSTGRES, healthy="the name of Postgres resolves", symptom=True)
def postgres_name_unresolved(postgres: Postgres, this: ThisNode) -> Iterator[Finding]:
    """The name of Postgres does not resolve."""
    yield from postgres.findings(NAME, this.name, "the name of Postgres does not resolve", expected="an address")
