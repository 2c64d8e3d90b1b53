"""Postgres as the modules meet it: its name, a TCP connection, TLS, a login, a SELECT; each failure kept apart.

Where to log in comes from, in this order: the environment variable NETDOCTOR_DATABASE_URL, a DATABASE_URL in the
environment of a pod, the POSTGRES_* variables of the pods behind the Service. It is used and forgotten: no fact, report
or error text holds it.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster import Service, Services
from netdoctor.facts.database_login import DatabaseLogins, Login
from netdoctor.facts.names import cluster_dns_address
from netdoctor.facts.vantage import NEW, OLD, VantagePoint, VantagePoints
from netdoctor.model import Evidence, Finding, NotApplicable, Subject
from netdoctor.traffic import Answer, Reply, ask_all, ask_dns, ask_tcp, in_namespace

SECONDS = 1.5
LOGIN_SECONDS = 2  # libpq takes no less
SSL_REQUEST = struct.pack("!2I", 8, 80877103)  # libpq-fe: answered with one byte, S or N
NAME, TCP, TLS, LOGIN, SELECT = "name", "TCP", "TLS", "login", "SELECT"
STAGES = (NAME, TCP, TLS, LOGIN, SELECT)


@dataclass(frozen=True, slots=True)
class PostgresStage:
    """One step on the way to an answer, from one vantage point."""

    service: str  # namespace/name
    vantage: str
    stage: str
    ok: bool
    observed: str
    sqlstate: str = ""
    address: str = ""  # what was connected to, for TCP
    port: int = 0


@dataclass(frozen=True, slots=True)
class Postgres:
    """Postgres"""

    services: tuple[str, ...]
    stages: tuple[PostgresStage, ...]
    login_source: str  # where the login came from, or why there is none

    @classmethod
    def collect(cls, points: VantagePoints, services: Services, logins: DatabaseLogins | CannotRead) -> Postgres:
        """Go as far as possible from the test pod and from pods that are clients, for each Postgres Service."""
        known = logins.for_service if not isinstance(logins, CannotRead) else {}
        reason = str(logins) if isinstance(logins, CannotRead) else logins.source
        stages: list[PostgresStage] = []
        for service in services.postgres:
            stages += _ask_service(points, services, service, known.get(str(service)))
        return cls(tuple(str(s) for s in services.postgres), tuple(stages), reason)

    def of(self, stage: str) -> tuple[PostgresStage, ...]:
        """What became of this step, from each vantage point that got so far."""
        return tuple(s for s in self.stages if s.stage == stage)

    def findings(self, stage: str, node: str, words: str, *, expected: str) -> Iterator[Finding]:
        """One finding for each Service at which this step failed. Raises NotApplicable, CannotRead."""
        if not self.services:
            raise NotApplicable("the cluster has no Service for Postgres")
        steps = self.of(stage)
        if not steps:
            raise CannotRead("Postgres", self.login_source if stage in (LOGIN, SELECT) else "no pod could ask it")
        for service in self.services:
            asked = [s for s in steps if s.service == service]
            failed = [s for s in asked if not s.ok]
            if failed:
                namespace, _, name = service.partition("/")
                state = f" (SQLSTATE {failed[0].sqlstate})" if failed[0].sqlstate else ""
                yield Finding(
                    f"{words}: {service}, from {len(failed)} of {len(asked)} pods: {failed[0].observed}{state}",
                    tuple(Evidence(f"{s.vantage} -> {service}, {stage}", s.observed, expected) for s in failed[:3]),
                    Subject(node=node, namespace=namespace, service=name),
                )


def clients(points: VantagePoints) -> list[VantagePoint]:
    """The test pod and at most three older pods; not CoreDNS, not Postgres itself."""
    old = [p for p in points.pods if p.kind == OLD and not p.is_coredns and not p.pod.startswith("postgres")]
    return [p for p in points.pods if p.kind == NEW] + old[:3]


def _ask_service(
    points: VantagePoints, services: Services, service: Service, login: Login | None
) -> list[PostgresStage]:
    port = next((p.port for p in service.ports if p.port == 5432 or "postgres" in p.name), 5432)
    server = cluster_dns_address(points, services)
    walks = clients(points)
    names = [f"{service.name}.{service.namespace}.svc.{p.cluster_domain}." for p in walks]
    questions = [(p.netns, _question(server, name)) for p, name in zip(walks, names, strict=True)]
    replies = ask_all([*questions, *((p.netns, _connection(service.cluster_ip, port)) for p in walks)], SECONDS)
    looked_up, connected = replies[: len(walks)], replies[len(walks) :]
    stages = []
    for point, name, found, reached in zip(walks, names, looked_up, connected, strict=True):
        right = found.answer is Answer.OK and service.cluster_ip in found.detail
        stages.append(PostgresStage(str(service), point.name, NAME, right, f"{name} {found}"))
        accepted = reached.answer is Answer.OK
        stages.append(
            PostgresStage(str(service), point.name, TCP, accepted, str(reached), "", service.cluster_ip, port)
        )
    talking = [p for p, reached in zip(walks, connected, strict=True) if reached.answer is Answer.OK][:2]
    stages += _talk(service, port, talking, login)
    return stages


def _question(server: str, name: str) -> Callable[[], Reply]:
    return lambda: ask_dns(server, name, SECONDS)


def _connection(address: str, port: int) -> Callable[[], Reply]:
    return lambda: ask_tcp(address, port, SECONDS)


def _talk(service: Service, port: int, points: list[VantagePoint], login: Login | None) -> list[PostgresStage]:
    futures = [(p, in_namespace(p.netns, lambda: _session(service, port, login))) for p in points]
    stages = []
    for point, future in futures:
        try:
            steps = future.result(SECONDS + 2 * LOGIN_SECONDS)
        except (TimeoutError, CannotRead, OSError) as error:
            steps = [(TLS, False, f"no answer: {error}", "")]
        stages += [PostgresStage(str(service), point.name, *step) for step in steps]
    return stages


def _session(service: Service, port: int, login: Login | None) -> list[tuple[str, bool, str, str]]:
    """The steps after TCP: (stage, ok, observed, sqlstate), up to and with the first that fails."""
    speaks, words = _speaks_postgres(service.cluster_ip, port)
    steps = [(TLS, speaks, words, "")]
    if not speaks or login is None:
        return steps
    import psycopg

    begin = time.monotonic()
    try:
        connection = psycopg.connect(
            hostaddr=service.cluster_ip, host=service.name, port=port, user=login.user, password=login.password,
            dbname=login.database, connect_timeout=LOGIN_SECONDS, sslmode=login.sslmode,
            options="-c statement_timeout=2000", application_name="netdoctor",
        )  # fmt: skip
    except psycopg.Error as error:
        stage, state, text = classify(str(error), login)
        return [*(step for step in steps if step[0] != stage), (stage, False, text, state)]
    with connection:
        steps.append((LOGIN, True, f"as {login.user} to {login.database}, {_ms(begin)}", ""))
        try:
            connection.execute("SELECT 1").fetchone()
        except psycopg.Error as error:
            return [*steps, (SELECT, False, without(str(error), login), error.sqlstate or "")]
    return [*steps, (SELECT, True, f"SELECT 1, {_ms(begin)}", "")]


def _speaks_postgres(address: str, port: int) -> tuple[bool, str]:
    """Ask for TLS as libpq does; one byte comes back from a Postgres: S for TLS, N for none."""
    try:
        with socket.create_connection((address, port), SECONDS) as s:
            s.sendall(SSL_REQUEST)
            answer = s.recv(1)
    except OSError as error:
        return False, f"no answer to the TLS request: {error.strerror or error}"
    if answer == b"S":
        return True, "TLS is offered"
    if answer == b"N":
        return True, "no TLS (the server does not offer it)"
    return False, f"not a Postgres: it answered {answer!r} to the TLS request" if answer else "it hung up at once"


# texts of the server (errcodes.txt, in English) and of libpq, with the SQLSTATE and the step that they belong to
KNOWN = (
    ("password authentication failed", LOGIN, "28P01"),
    ("no pg_hba.conf entry", LOGIN, "28000"),
    ("too many clients", LOGIN, "53300"),
    ("remaining connection slots", LOGIN, "53300"),
    ("too many connections", LOGIN, "53300"),
    ("the database system is starting up", LOGIN, "57P03"),
    ("the database system is shutting down", LOGIN, "57P03"),
    # the words above may hold these
    ("role", LOGIN, "28000"),
    ("database", LOGIN, "3D000"),
    ("certificate", TLS, ""),
    ("SSL", TLS, ""),
)


def classify(text: str, login: Login) -> tuple[str, str, str]:
    """The step that a failed connection belongs to, its SQLSTATE where the text tells, and the text without secrets."""
    plain = without(text, login)
    said = plain.rpartition("failed: ")[2] if "failed: " in plain else plain
    said = " ".join(said.split())
    for words, stage, state in KNOWN:
        if words in said:
            return stage, state, said
    return LOGIN, "", said


def without(text: str, login: Login) -> str:
    """The text with the login's password taken out of it."""
    return text.replace(login.password, "***") if login.password else text


def _ms(begin: float) -> str:
    return f"{(time.monotonic() - begin) * 1000:.0f} ms"
