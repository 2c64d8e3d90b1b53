"""What is said to a Postgres after the TCP connection: TLS, logins, a SELECT, and how many connections it has."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdoctor.facts.database_login import Login
from netdoctor.facts.postgres_servers import PostgresServer

if TYPE_CHECKING:
    import psycopg

SECONDS = 1.5
LOGIN_SECONDS = 2  # libpq takes no less
SSL_REQUEST = struct.pack("!2I", 8, 80877103)  # libpq-fe: answered with one byte, S or N
TLS, LOGIN, SELECT = "TLS", "login", "SELECT"
TOO_MANY = "53300"  # the SQLSTATE of a connection that finds no slot
# reserved_connections is there from Postgres 16 on; background processes have no database, and need no slot
SLOTS = """select current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int
 + coalesce(current_setting('reserved_connections', true), '0')::int, coalesce(datname, ''), coalesce(usename, '')
 from (select 1) one left join pg_stat_activity on pid <> pg_backend_pid()
 and datname is not null and coalesce(backend_type, 'client backend') = 'client backend'"""


@dataclass(frozen=True, slots=True)
class Slots:
    """The connections that a Postgres may have, and those that it has."""

    service: str
    limit: int  # max_connections
    reserved: int
    used: tuple[tuple[str, str], ...]  # database and user of each connection


@dataclass(frozen=True, slots=True)
class Step:
    """A step after TCP."""

    stage: str
    ok: bool
    observed: str
    sqlstate: str = ""
    login: Login | None = None


class Session:
    """What one vantage point says to one server: TLS, then each login after the other, so that one slot is enough."""

    def __init__(self, server: PostgresServer, address: str, logins: tuple[Login, ...]) -> None:
        self.server, self.address, self.logins = server, address, logins
        self.slots: Slots | None = None

    def run(self) -> list[Step]:
        """The steps after TCP, up to and with the first that fails for each login."""
        speaks, words = _speaks_postgres(self.address, self.server.port)
        steps = [Step(TLS, speaks, words)]
        for login in self.logins if speaks else ():
            begin = time.monotonic()
            steps = [*steps, *self._log_in(login)]
            if time.monotonic() - begin > LOGIN_SECONDS:
                break  # it hangs, and would for the others
        broken = next((s for s in steps if s.stage == TLS and not s.ok), None)
        return [s for s in steps if s.stage != TLS or s is (broken or steps[0])]

    def _log_in(self, login: Login) -> Iterator[Step]:
        import psycopg

        begin = time.monotonic()
        try:
            connection = psycopg.connect(
                hostaddr=self.address, host=self.server.name.rpartition("/")[2], port=self.server.port,
                user=login.user, password=login.password, dbname=login.database, connect_timeout=LOGIN_SECONDS,
                sslmode=login.sslmode, options="-c statement_timeout=2000", application_name="netdoctor",
            )  # fmt: skip
        except psycopg.Error as error:
            stage, state, text = classify(str(error), login)
            yield Step(stage, False, text, state, login)
            return
        with connection:
            yield Step(LOGIN, True, f"as {login.user} to {login.database}, {_ms(begin)}", "", login)
            try:
                connection.execute("SELECT 1").fetchone()
            except psycopg.Error as error:
                yield Step(SELECT, False, without(str(error), login), error.sqlstate or "", login)
                return
            yield Step(SELECT, True, f"SELECT 1, {_ms(begin)}", "", login)
            if self.server.modules and self.slots is None:
                self.slots = self._count(connection)

    def _count(self, connection: psycopg.Connection[tuple[int, int, str, str]]) -> Slots | None:
        import psycopg

        try:
            rows = connection.execute(SLOTS).fetchall()
        except psycopg.Error:  # a pooler, or another database that speaks the protocol
            return None
        used = tuple((database, user) for _, _, database, user in rows if database)
        return Slots(self.server.name, int(rows[0][0]), int(rows[0][1]), used)


def _speaks_postgres(address: str, port: int) -> tuple[bool, str]:
    """Ask for TLS as libpq does; one byte comes back from a Postgres: S for TLS, N for none."""
    try:
        with socket.create_connection((address, port), SECONDS) as s:
            s.settimeout(2 * SECONDS)  # connected: now it is Postgres that takes its time, on a busy node
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
