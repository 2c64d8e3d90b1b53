"""What is said to a Postgres after the TCP connection: TLS, logins, a SELECT, and how many connections it has."""

from __future__ import annotations

import json
import math
import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.gateways.database_login import Login
from netdoctor.facts.gateways.postgres_servers import PostgresServer
from netdoctor.system.bounded_process import run
from netdoctor.system.patience import patience
from netdoctor.system.traffic import in_namespace

SECONDS = 1.5
LOGIN_SECONDS = 2  # of a quiet machine; libpq takes no less
CLIENT_SECONDS = 7.0  # of a quiet machine, for all logins of a session
LATE = 3.0  # seconds more of a quiet machine, in which the client starts and tells what it has
LARGEST = 2 << 20  # bytes: every connection of a large Postgres
VARIABLE = "NETDOCTOR_DATABASE_AUTH"
METHODS = ("scram-sha-256", "md5", "password")  # those of libpq's require_auth that send something of the password
ALLOWED = f"{VARIABLE}=md5 or =password allows it"
# libpq's own words where the server asks for another way to log in (fe-auth.c)
OTHER_METHOD = ("server requested", "server's SASL authentication mechanisms")
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
class SessionStep:
    """A step after TCP."""

    stage: str
    ok: bool
    observed: str
    sqlstate: str = ""
    login: Login | None = None


class Session:
    """What one vantage point says to one server: TLS, then each login after the other, so that one slot is enough."""

    def __init__(self, server: PostgresServer, address: str, logins: tuple[Login, ...], netns: str = "") -> None:
        """`netns`: the path of the network namespace to ask from, "" for this one."""
        self.server, self.address, self.logins, self.netns = server, address, logins, netns
        self.steps: list[SessionStep] = []  # after TCP, up to and with the first that fails for each login
        self.slots: Slots | None = None
        self.withheld = ""  # why no password was sent, in a sentence

    def ask_for_tls(self) -> SessionStep:
        """Whether it is a Postgres that answers, and whether it offers TLS; asked from where the caller is."""
        speaks, words = _speaks_postgres(self.address, self.server.port)
        return SessionStep(TLS, speaks, words)

    def question(self, netns: int | None) -> dict[str, Any]:
        """What postgres_client is told, in JSON; `netns` is a descriptor."""
        return {
            "netns": netns,
            "slots": SLOTS if self.server.modules else "",
            "parameters": {
                "hostaddr": self.address,
                "host": self.server.name.rpartition("/")[2],
                "port": self.server.port,
            },
            "logins": [
                {"user": login.user, "password": login.password, "dbname": login.database, "sslmode": login.sslmode}
                for login in self.logins
            ],
        }

    def take(self, answers: Any) -> None:
        """Turn the answers of its logins into steps; None and a mapping stand for none, and say why."""
        if not isinstance(answers, list):
            why = answers.get("error") if isinstance(answers, dict) else f"no answer within {CLIENT_SECONDS:g} s"
            self.steps.append(SessionStep(LOGIN, False, str(why), "", self.logins[0]))
            return
        for login, answer in zip(self.logins, answers, strict=False):
            self.steps += self._steps(login, answer)
        if broken := next((step for step in self.steps if step.stage == TLS and not step.ok), None):
            self.steps = [broken, *(step for step in self.steps if step.stage != TLS)]

    def _steps(self, login: Login, answer: Mapping[str, Any]) -> Iterator[SessionStep]:
        if "connected" not in answer:
            stage, state, text = classify(str(answer.get("error")), login)
            if "FATAL" not in text and any(words in text for words in OTHER_METHOD):
                self.withheld = f"{self.server.name} {_asks_for(text)}, and no password is sent that way: {ALLOWED}"
                return
            yield SessionStep(stage, False, text, state, login)
            return
        yield SessionStep(LOGIN, True, f"as {login.user} to {login.database}, {_ms(answer['connected'])}", "", login)
        if not answer["selected"]:
            text = without(str(answer.get("error")), login)
            yield SessionStep(SELECT, False, text, str(answer.get("sqlstate", "")), login)
            return
        yield SessionStep(SELECT, True, f"SELECT 1, {_ms(answer['seconds'])}", "", login)
        rows = answer.get("slots")
        if rows and self.slots is None:
            used = tuple((database, user) for _, _, database, user in rows if database)
            self.slots = Slots(self.server.name, rows[0][0], rows[0][1], used)


def run_all(sessions: Sequence[Session]) -> None:
    """Hold these sessions side by side; each has its steps then. Raises BadInput for NETDOCTOR_DATABASE_AUTH."""
    asked = [in_namespace(session.netns, session.ask_for_tls) for session in sessions]
    for session, future in zip(sessions, asked, strict=True):
        try:
            session.steps = [future.result(4 * SECONDS)]
        except (TimeoutError, CannotRead, OSError) as error:
            session.steps = [SessionStep(TLS, False, f"no answer: {error}")]
    with ExitStack() as opened:
        speaking: dict[Session, int | None] = {}
        for session in sessions:
            if not session.logins or not session.steps[0].ok:
                continue
            try:
                speaking[session] = _opened(session.netns, opened)
            except OSError as error:  # its pod has ended since
                session.steps = [SessionStep(TLS, False, f"no answer: {error.strerror}")]
        if speaking:
            _log_in(speaking)


def _log_in(speaking: Mapping[Session, int | None]) -> None:
    """Give each session, whose namespace is open as this descriptor, the steps of its logins. Raises BadInput."""
    try:
        told = _answers(speaking)
    except CannotRead as error:
        for session in speaking:
            session.steps.append(SessionStep(LOGIN, False, error.reason, "", session.logins[0]))
        return
    if "too_old" in told:
        for session in speaking:
            session.withheld = f"libpq {told['too_old']} cannot insist on SCRAM, so no password is sent"
        return
    answers = told.get("sessions") or [None] * len(speaking)
    for session, of_it in zip(speaking, answers, strict=True):
        session.take(of_it)


def _answers(sessions: Mapping[Session, int | None]) -> dict[str, Any]:
    """What postgres_client says, {} for what it should not. Raises BadInput, CannotRead."""
    patient = math.ceil(patience(LOGIN_SECONDS))
    parameters = {
        "connect_timeout": patient,
        "options": f"-c statement_timeout={1000 * patient}",
        "application_name": "netdoctor",
        "require_auth": allowed_methods(),
        # nothing of root's own is offered: no ticket, no certificate, no password file
        "gssencmode": "disable",
        "sslcertmode": "disable",
        "passfile": os.devnull,
    }
    argv = [sys.executable, "-IS", str(Path(__file__).with_name("postgres_client.py"))]
    environment = {"LC_ALL": "C", "HOME": "/nonexistent", "PATH": os.defpath}
    within = patience(CLIENT_SECONDS)
    asked = {
        "path": sys.path,
        "seconds": patient,
        "within": within,
        "parameters": parameters,
        "sessions": [session.question(netns) for session, netns in sessions.items()],
    }
    passed = [netns for netns in sessions.values() if netns is not None]
    done = run(
        argv, environment, patience(CLIENT_SECONDS + LATE), LARGEST, stdin=json.dumps(asked).encode(), passed=passed
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _opened(netns: str, until: ExitStack) -> int | None:
    """A descriptor of the namespace at this path, closed with `until`. Raises OSError."""
    if not netns:
        return None
    descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    until.callback(os.close, descriptor)
    return descriptor


def allowed_methods() -> str:
    """The ways to log in that libpq may go: SCRAM, none where the server asks for none, and what the user allows.

    Raises BadInput.
    """
    more = [word.strip() for word in os.environ.get(VARIABLE, "").split(",") if word.strip()]
    if unknown := [word for word in more if word not in METHODS]:
        raise BadInput(f"{VARIABLE} has {unknown[0]!r:.40}: it may hold {', '.join(METHODS)}")
    return ",".join(dict.fromkeys(["scram-sha-256", "none", *more]))


def _asks_for(text: str) -> str:
    for words, plain in (
        ("cleartext", "asks for the password in clear text"),
        ("hashed", "asks for the password as an MD5 hash"),
        ("GSS", "asks for a Kerberos ticket"),
        ("SSPI", "asks for a Kerberos ticket"),
    ):
        if words in text:
            return plain
    return "asks for a login other than SCRAM"


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
    return False, f"not a Postgres: it answered {answer!r} to the TLS request" if answer else "it closed at once"


# texts of the server (errcodes.txt, in English) and of libpq, with the SQLSTATE and the step that they belong to
KNOWN = (
    *((words, LOGIN, "") for words in OTHER_METHOD),
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


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
