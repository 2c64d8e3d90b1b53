"""Postgres has too few free connections for the modules.

## What it checks
What the modules may open (replicas times `database_connection_pool_limit`, 10 where the config does not say) against
`max_connections` less the reserved ones and those that others hold. What the modules hold already does not count. A
login that is refused with SQLSTATE 53300 says the same without numbers.

## Why it matters
The modules start, and under load answer `sorry, too many clients already`.

## When it is no fault
Limits of a role or of a database are not counted; a pooler in front of Postgres may multiply its connections.

## By hand
`SHOW max_connections; SELECT datname, usename, count(*) FROM pg_stat_activity GROUP BY 1, 2;` Set
`database_connection_pool_limit: 5` in the configs, or `max_connections` in Postgres.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, NotApplicable, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.gateways import Modules, needed
from netdoctor.facts.gateways.postgres_servers import PostgresServers
from netdoctor.facts.gateways.postgres_session import LOGIN, TOO_MANY, Slots
from netdoctor.facts.traffic.postgres import Postgres


@probe(requires=("postgres-unreachable", "postgres-tls-broken"), explains=("postgres-login-refused",))
def database_slots_exhausted(
    postgres: Postgres, servers: PostgresServers | CannotRead, modules: Modules | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Logins that found no slot, and servers with fewer free ones than the modules may use."""
    refused = {s.service: s for s in postgres.of(LOGIN) if s.sqlstate == TOO_MANY}
    for service, stage in refused.items():
        namespace, _, name = service.rpartition("/")
        yield Finding(
            f"Postgres {service} has no free connection: {stage.observed}",
            (Evidence(f"{stage.vantage} -> {service}, login", stage.observed, "a free connection"),),
            Subject(node=this.name, namespace=namespace, service=name),
        )
    if refused:
        return
    known = needed(modules)
    if isinstance(servers, CannotRead):
        raise servers
    users = {server.name: server.modules for server in servers.items if server.modules}
    if not users:
        later = ", ".join(servers.later)
        raise NotApplicable(f"Service {later} comes with the deployment" if later else "no module has a database")
    counted = {s.service: s for s in postgres.slots}
    found = [f for name, names in users.items() if name in counted for f in _compare(counted[name], names, known, this)]
    if not found and (uncounted := users.keys() - counted.keys()):
        raise CannotRead("free connections", f"{', '.join(sorted(uncounted))} let nobody in who could count them")
    yield from found


def _compare(slots: Slots, names: tuple[str, ...], modules: Modules, this: ThisNode) -> Iterator[Finding]:
    using = [g for g in modules.gateways if g.name in names]
    own = {(g.database.name, g.database.user) for g in using if g.database}
    others = [connection for connection in slots.used if connection not in own]
    wanted = sum(g.replicas * g.pool_limit for g in using)
    free = slots.limit - slots.reserved - len(others)
    if wanted > free:
        namespace, _, name = slots.service.rpartition("/")
        held = ", ".join(sorted({f"{user} in {database}" for database, user in others})[:3]) or "nobody"
        yield Finding(
            f"Postgres {slots.service} has {max(free, 0)} connections for the modules, and they may open {wanted}",
            (
                Evidence("max_connections, less the reserved ones", f"{slots.limit} - {slots.reserved}", "more"),
                Evidence("pg_stat_activity", f"{len(others)} connections of others ({held})", "fewer"),
                Evidence(
                    "replicas x database_connection_pool_limit",
                    ", ".join(f"{g.name} {g.replicas} x {g.pool_limit}" for g in using),
                    f"{max(free, 0)} at most",
                ),
            ),
            Subject(node=this.name, namespace=namespace, service=name),
        )
