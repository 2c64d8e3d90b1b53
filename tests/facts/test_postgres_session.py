"""Logins at servers that want more than they should get, on real sockets: no password leaves but by SCRAM."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.gateways.database_login import Login
from netdoctor.facts.gateways.postgres_servers import PostgresServer
from netdoctor.facts.gateways.postgres_session import LOGIN, SELECT, TLS, Session, SessionStep, allowed_methods, run_all
from netdoctor.facts.traffic.postgres import Postgres
from netdoctor.twin.namespace import Namespace

PASSWORD = "canary-7d5c2e91"
SALT = b"salt"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", 4 + len(body)) + body


def authentication(number: int, more: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!I", number) + more)


READY = message(b"Z", b"I")
ROW = (
    message(b"T", b"\0\1?column?\0" + struct.pack("!IhIhih", 0, 0, 23, 4, -1, 0))
    + message(b"D", b"\0\1" + struct.pack("!I", 1) + b"1") + message(b"C", b"SELECT 1\0") + READY
)  # fmt: skip
Answers = Callable[[socket.socket], None]


class FakePostgres:
    """Speaks the protocol up to its own end, and keeps every byte that it got."""

    def __init__(self, answers: Answers) -> None:
        self.got, self._answers = b"", answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with connection:
            try:
                while (first := connection.recv(65536)) and first[4:8] == struct.pack("!I", 80877103):
                    connection.sendall(b"N")
                if first:
                    self._answers(connection)
                    while more := connection.recv(65536):
                        self.got += more
                        connection.sendall(ROW if more[:1] in b"QP" else authentication(0) + READY)
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def fake() -> Iterator[Callable[[Answers], FakePostgres]]:
    servers = []

    def start(answers: Answers) -> FakePostgres:
        servers.append(FakePostgres(answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def session(server: FakePostgres) -> Session:
    login = Login("litellm", PASSWORD, "litellm", "disable")
    return Session(PostgresServer("litellm/postgres", "127.0.0.1", server.port), "127.0.0.1", (login,))


def steps_of(held: Session) -> list[SessionStep]:
    run_all([held])
    return held.steps


REQUESTS = {
    "asks for the password in clear text": authentication(3),
    "asks for the password as an MD5 hash": authentication(5, SALT),
    "asks for a Kerberos ticket": authentication(7),
    "asks for a login other than SCRAM": authentication(2),
}


@pytest.mark.parametrize("words", list(REQUESTS))
def test_a_password_is_not_sent_in_another_way(words: str, fake: Callable[[Answers], FakePostgres]) -> None:
    server = fake(lambda connection: connection.sendall(REQUESTS[words]))
    asked = session(server)
    steps = steps_of(asked)
    inner = hashlib.md5(f"{PASSWORD}litellm".encode()).hexdigest().encode()
    for derived in (PASSWORD.encode(), inner, hashlib.md5(inner + SALT).hexdigest().encode()):
        assert derived not in server.got
    assert not server.got
    assert not [step for step in steps if step.stage == LOGIN and step.ok]
    assert words in asked.withheld


@pytest.mark.parametrize("mechanisms", [b"PLAIN\0\0", b"OAUTHBEARER\0\0", b"XOAUTH2\0PLAIN\0\0", b"\0"])
def test_nor_by_another_mechanism_of_sasl(mechanisms: bytes, fake: Callable[[Answers], FakePostgres]) -> None:
    server = fake(lambda connection: connection.sendall(authentication(10, mechanisms)))
    asked = session(server)
    assert not [step for step in steps_of(asked) if step.stage == LOGIN]
    assert not server.got
    assert "asks for a login other than SCRAM" in asked.withheld


def test_by_scram_nothing_readable_is_sent(fake: Callable[[Answers], FakePostgres]) -> None:
    server = fake(lambda connection: connection.sendall(authentication(10, b"SCRAM-SHA-256\0\0")))
    steps_of(session(server))
    assert b"SCRAM-SHA-256" in server.got
    assert PASSWORD.encode() not in server.got


def test_after_scram_has_begun_clear_text_is_refused_too(fake: Callable[[Answers], FakePostgres]) -> None:
    def both(connection: socket.socket) -> None:
        connection.sendall(authentication(10, b"SCRAM-SHA-256\0\0"))
        connection.recv(65536)
        connection.sendall(authentication(3))

    server = fake(both)
    steps_of(session(server))
    assert PASSWORD.encode() not in server.got


def test_a_server_that_asks_for_none_is_logged_in_at(fake: Callable[[Answers], FakePostgres]) -> None:
    server = fake(lambda connection: connection.sendall(authentication(0) + READY))
    steps = steps_of(session(server))
    assert [step.stage for step in steps if step.ok][-2:] == [LOGIN, SELECT]
    assert PASSWORD.encode() not in server.got


@pytest.mark.parametrize(("method", "words"), [("password", authentication(3)), ("md5", authentication(5, SALT))])
def test_whoever_wants_it_sends_it(
    method: str, words: bytes, fake: Callable[[Answers], FakePostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETDOCTOR_DATABASE_AUTH", method)
    server = fake(lambda connection: connection.sendall(words))
    steps_of(session(server))
    assert (PASSWORD.encode() if method == "password" else b"md5") in server.got


@pytest.mark.parametrize("value", ["trust", "scram-sha-256 require_auth=password", "!scram-sha-256", "gss"])
def test_what_may_be_wanted(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDOCTOR_DATABASE_AUTH", value)
    with pytest.raises(BadInput):
        allowed_methods()


def test_variables_of_libpq_change_nothing(
    fake: Callable[[Answers], FakePostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGREQUIREAUTH", "password")
    monkeypatch.setenv("PGPASSWORD", "of-somebody-else")
    server = fake(lambda connection: connection.sendall(authentication(3)))
    steps_of(session(server))
    assert not server.got


def test_what_is_withheld_is_unknown_and_no_fault() -> None:
    postgres = Postgres(("a/b",), (), "", (), (), (), ("a/b asks for the password in clear text, and ...",))
    for stage in (LOGIN, SELECT):
        with pytest.raises(CannotRead, match="clear text"):
            list(postgres.findings(stage, "n", "", expected=""))


def drip(connection: socket.socket) -> None:
    for byte in authentication(0) + message(b"S", b"x" * 20_000):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def endless(connection: socket.socket) -> None:
    connection.sendall(authentication(0))
    for number in range(1 << 30):
        connection.sendall(message(b"S", b"k%d\0" % number + b"v" * 20_000 + b"\0"))


def endless_rows(connection: socket.socket) -> None:
    connection.sendall(authentication(0) + READY)
    connection.recv(65536)
    connection.sendall(ROW[: ROW.index(b"D\0")])
    while True:
        connection.sendall(message(b"D", b"\0\1" + struct.pack("!I", 60_000) + b"1" * 60_000))


@pytest.mark.parametrize(
    "answers", [drip, *(pytest.param(f, marks=pytest.mark.thorough) for f in (endless, endless_rows))]
)
def test_an_answer_has_an_end(
    answers: Answers, fake: Callable[[Answers], FakePostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netdoctor.facts.gateways.postgres_session.CLIENT_SECONDS", 3.0)
    begin = time.monotonic()
    steps = steps_of(session(fake(answers)))
    assert time.monotonic() - begin < 60  # far from never, also on a busy machine
    assert not steps[-1].ok


@pytest.mark.thorough
def test_a_session_that_hangs_takes_nothing_from_another_one(
    fake: Callable[[Answers], FakePostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netdoctor.facts.gateways.postgres_session.CLIENT_SECONDS", 1.5)  # less than libpq's own limit
    hangs = session(fake(drip))
    answers = session(fake(lambda connection: connection.sendall(authentication(0) + READY)))
    run_all([hangs, answers])
    assert [step.stage for step in answers.steps if step.ok][-2:] == [LOGIN, SELECT]
    assert hangs.steps[-1].observed == "no answer within 1.5 s"


def test_a_session_whose_namespace_is_gone_takes_nothing_from_another_one(
    fake: Callable[[Answers], FakePostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fake(lambda connection: connection.sendall(authentication(0) + READY))
    gone, answers = session(server), session(server)

    def and_then_it_goes(held: Session) -> SessionStep:
        held.netns = "/run/netns/gone"
        return SessionStep(TLS, True, "no TLS (the server does not offer it)")

    monkeypatch.setattr(gone, "ask_for_tls", lambda: and_then_it_goes(gone))
    run_all([gone, answers])
    assert [step.stage for step in answers.steps if step.ok][-2:] == [LOGIN, SELECT]
    assert [(step.stage, step.ok) for step in gone.steps] == [(TLS, False)]
    assert "No such file" in gone.steps[0].observed


def test_each_session_asks_from_its_own_namespace(fake: Callable[[Answers], FakePostgres]) -> None:
    server = fake(lambda connection: connection.sendall(authentication(0) + READY))
    here, elsewhere = session(server), session(server)
    with closing(Namespace.new()) as empty:
        descriptor = os.open(empty.path, os.O_RDONLY)
        try:
            elsewhere.netns = f"/proc/{os.getpid()}/fd/{descriptor}"
            elsewhere.ask_for_tls = lambda: SessionStep(TLS, True, "as if it had answered")  # type: ignore[method-assign]
            run_all([here, elsewhere])
        finally:
            os.close(descriptor)
    assert [step.stage for step in here.steps if step.ok][-2:] == [LOGIN, SELECT]
    assert not elsewhere.steps[-1].ok
    assert "unreachable" in elsewhere.steps[-1].observed
