"""Postgres does not answer a query.

## What it checks
`SELECT 1` after the login.

## Why it matters
A server that accepts logins but does not answer is overloaded, read-only after a crash, or a pooler without a server.

## By hand
`psql -c 'SELECT 1'`.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.postgres_session import SELECT
from netdoctor.facts.traffic.postgres import Postgres


@probe(
    area=Area.POSTGRES, healthy="Postgres answers a query", requires=("postgres-unreachable", "postgres-login-refused")
)
def postgres_query_failing(postgres: Postgres, this: ThisNode) -> Iterator[Finding]:
    """Postgres does not answer a query."""
    yield from postgres.findings(SELECT, this.name, "Postgres does not answer a query", expected="SELECT 1")
