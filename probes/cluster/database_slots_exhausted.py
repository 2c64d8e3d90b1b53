"""Postgres has too few free connections for the modules.

## What it checks
The connections that the modules may open (replicas times `database_connection_pool_limit`, 10 by default) against
`max_connections` less reserved connections and those that others hold. Connections that the modules hold already do
not count. A login refused with SQLSTATE 53300 says the same without numbers.

## Why it matters
The modules start, and under load fail with `sorry, too many clients already`.

## When it is not a fault
Limits of a role or of a database are not counted; a pooler in front of Postgres may multiply its connections.

## By hand
`SHOW max_connections; SELECT datname, usename, count(*) FROM pg_stat_activity GROUP BY 1, 2;` Set
`database_connection_pool_limit: 5` in the configs, or `max_connections` in Postgres.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.gateways import Modules, needed
from netdoctor.facts.gateways.postgres_servers import PostgresServers
from netdoctor.facts.gateways.postgres_session import LOGIN, TOO_MANY, Slots
from netdoctor.facts.traffic.postgres import Postgres, PostgresStage
from netdoctor.facts.traffic.vantage import pod_of
from netdoctor.model import Confidence


@probe(
    area=Area.POSTGRES,
    healthy="Postgres has free connections",
    requires=("postgres-unreachable", "postgres-tls-broken"),
    explains=("postgres-login-refused",),
)
def database_slots_exhausted(
    postgres: Postgres, servers: PostgresServers | CannotRead, modules: Modules | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Logins that found no slot, and servers with fewer free ones than the modules may use."""
    refused = {login.service: login for login in postgres.of(LOGIN) if login.sqlstate == TOO_MANY}
    if refused:
        yield from (_refused(login, this) for login in refused.values())
        return
    known = needed(modules)
    if isinstance(servers, CannotRead):
        raise servers
    users = _modules_by_server(servers)
    yield from _too_few(users, {slots.service: slots for slots in postgres.slots}, known, this)


def _modules_by_server(servers: PostgresServers) -> dict[str, tuple[str, ...]]:
    """The modules of each server that has any. Raises NotApplicable where there is none."""
    users = {server.name: server.modules for server in servers.items if server.modules}
    if not users:
        later = ", ".join(servers.later)
        raise NotApplicable(f"Service {later} comes with the deployment" if later else "no module has a database")
    return users


def _too_few(
    users: dict[str, tuple[str, ...]], counted: dict[str, Slots], modules: Modules, this: ThisNode
) -> list[Finding]:
    """A finding for each server with too few. Raises CannotRead where only those without a count could have too few."""
    found = [_compare(counted[name], names, modules, this) for name, names in users.items() if name in counted]
    short = [finding for finding in found if finding]
    uncounted = users.keys() - counted.keys()
    if uncounted and not short:
        raise CannotRead("free connections", f"{', '.join(sorted(uncounted))} accepted no login that could count them")
    return short


def _refused(login: PostgresStage, this: ThisNode) -> Finding:
    namespace, _, name = login.service.rpartition("/")
    return Finding(
        f"Postgres {login.service} has no free connection: {login.observed}",
        (Evidence(f"{login.vantage} -> {login.service}, login", login.observed, "a free connection", _where(login)),),
        Subject(node=this.name, namespace=namespace, service=name),
        confidence=Confidence.CONFIRMED,
    )


def _where(login: PostgresStage) -> Values:
    return Values(pod=pod_of(login.vantage), service=login.service)


def _compare(slots: Slots, names: tuple[str, ...], modules: Modules, this: ThisNode) -> Finding | None:
    """The finding where the modules of these names may open more connections than others leave free, else None."""
    using = [gateway for gateway in modules.gateways if gateway.name in names]
    own = {(gateway.database.name, gateway.database.user) for gateway in using if gateway.database}
    others = [connection for connection in slots.used if connection not in own]
    wanted = sum(gateway.replicas * gateway.pool_limit for gateway in using)
    free = slots.limit - slots.reserved - len(others)
    if wanted <= free:
        return None
    namespace, _, name = slots.service.rpartition("/")
    held = ", ".join(sorted({f"{user} in {database}" for database, user in others})[:3]) or "nobody"
    return Finding(
        f"Postgres {slots.service} has {max(free, 0)} free connections for the modules, which may open {wanted}",
        (
            Evidence("max_connections, less the reserved ones", f"{slots.limit} - {slots.reserved}", "more"),
            Evidence(
                "pg_stat_activity",
                f"{len(others)} connections of others ({held})",
                "fewer",
                Values(service=slots.service, count=len(others), of=slots.limit - slots.reserved),
            ),
            Evidence(
                "replicas x database_connection_pool_limit",
                ", ".join(f"{gateway.name} {gateway.replicas} x {gateway.pool_limit}" for gateway in using),
                f"{max(free, 0)} at most",
            ),
        ),
        Subject(node=this.name, namespace=namespace, service=name),
        confidence=Confidence.CONFIRMED,
    )
