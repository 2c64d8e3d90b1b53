"""Postgres does not speak its protocol, or TLS fails.

## What it checks
The server answers libpq's request for TLS with one byte, and where TLS is required, the handshake succeeds.

## Why it matters
Something else on the port, a server that hangs, or an untrusted certificate looks like a
network fault to a module.

## By hand
`psql 'sslmode=require host=CLUSTER_IP'`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.postgres_session import TLS
from netdoctor.facts.traffic.postgres import Postgres


@probe(
    area=Area.POSTGRES,
    healthy="Postgres speaks its protocol",
    requires=("postgres-unreachable",),
)
def postgres_tls_broken(postgres: Postgres, this: ThisNode) -> Iterator[Finding]:
    """Postgres does not speak its protocol, or TLS fails."""
    yield from postgres.findings(
        TLS, this.name, "Postgres does not get past the TLS request", expected="S or N, and a handshake"
    )
