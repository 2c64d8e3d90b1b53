"""Postgres refuses the login.

## What it checks
A login like the modules': with DATABASE_URL from a pod, or the POSTGRES_* variables of the pods behind
the Service.

## Why it matters
The network is fine, and repairing it does not help: the password, the role, the database, pg_hba.conf
or the number of connections is wrong.

## By hand
`kubectl exec deploy/postgres -- psql -U USER -d DATABASE -c 'SELECT 1'`; compare the Secret with the
password in the data folder, which is set once, when the folder is made.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.postgres_session import LOGIN
from netdoctor.facts.traffic.postgres import Postgres


@probe(
    area=Area.POSTGRES, healthy="Postgres accepts the login", requires=("postgres-unreachable", "postgres-tls-broken")
)
def postgres_login_refused(postgres: Postgres, this: ThisNode) -> Iterator[Finding]:
    """Postgres refuses the login."""
    yield from postgres.findings(LOGIN, this.name, "Postgres refuses the login", expected="logged in")
