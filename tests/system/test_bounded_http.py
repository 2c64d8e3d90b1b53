"""Servers that misbehave, on loopback: each answer has an end in time and size, and no key follows a redirect."""

from __future__ import annotations

import gzip
import resource
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from netdoctor.errors import CannotRead
from netdoctor.gateways.gateway_http import ask as ask_gateway
from netdoctor.system.bounded_http import BadAnswer, ask, bound
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from tests.system.test_kubeconfig import config

pytestmark = pytest.mark.thorough

LIMIT = 1 << 20
SECONDS = 0.6
OK = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(bytes(64 << 20))


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = b"x" * 65536
MANY = 2000


def quickly(*parts: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter(parts)


def slowly(first: bytes, part: bytes) -> Callable[[], Iterator[bytes]]:
    def drip() -> Iterator[bytes]:
        yield first
        while True:
            time.sleep(0.05)
            yield part

    return drip


def encoded(*names: bytes, body: bytes = b"abc") -> Callable[[], Iterator[bytes]]:
    headers = b"".join(b"Content-Encoding: %s\r\n" % name for name in names)
    return quickly(OK + headers + b"Content-Length: %d\r\n\r\n" % len(body), body)


ANSWERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "endless body": quickly(OK + b"\r\n", *[PIECE] * MANY),
    "endless chunks": quickly(CHUNKED, *[b"10000\r\n" + PIECE + b"\r\n"] * MANY),
    "one chunk": quickly(CHUNKED + b"FFFFFFFF\r\n", *[PIECE] * MANY),
    "endless size of a chunk": quickly(CHUNKED, *[b"0" * 65536] * MANY),
    "endless trailers": quickly(CHUNKED + b"0\r\n", *[b"a: b\r\n" * 10000] * MANY),
    "endless headers": quickly(OK, *[b"a: " + PIECE[:60000] + b"\r\n"] * MANY),
    "endless continue": quickly(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 200_000),
    "length that lies": quickly(OK + b"Content-Length: 99999999999\r\n\r\n", *[PIECE] * MANY),
    "dripping status": slowly(b"", b"H"),
    "dripping headers": slowly(OK, b"a"),
    "dripping body": slowly(OK + b"Content-Length: 5000\r\n\r\n", b"x"),
    "dripping chunks": slowly(CHUNKED, b"1\r\nx\r\n"),
    "silence": slowly(b"", b""),
    "gzip bomb": encoded(b"gzip", body=BOMB),
    "another encoding": encoded(b"br"),
    "two encodings": encoded(b"identity", b"gzip"),
}


class Server:
    """Sends what it was given, whatever it is asked, and keeps what it got."""

    def __init__(self, parts: Callable[[], Iterator[bytes]], tls: ssl.SSLContext | None = None) -> None:
        self.got: list[bytes] = []
        self._tls = tls
        self._parts, self._listener = parts, socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection:
                if self._tls is None:
                    self._speak(connection)
                else:
                    with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                        self._speak(wrapped)
        except OSError:
            return

    def _speak(self, connection: socket.socket) -> None:
        self.got.append(connection.recv(65536))
        for part in self._parts():
            connection.sendall(part)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[], Iterator[bytes]]], Server]]:
    servers: list[Server] = []

    def start(parts: Callable[[], Iterator[bytes]]) -> Server:
        servers.append(Server(parts))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Serve = Callable[[Callable[[], Iterator[bytes]]], Server]


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_an_answer_has_an_end(kind: str, serve: Serve) -> None:
    server = serve(ANSWERS[kind])
    begin, before = time.monotonic(), memory()
    with urllib3.PoolManager() as pool, pytest.raises((urllib3.exceptions.HTTPError, OSError)):
        ask(bound(pool), "GET", server.url, headers=[], connect=1, seconds=SECONDS, limit=LIMIT)
    assert time.monotonic() - begin < 10  # far from never, also on a busy machine
    assert memory() - before < 32 << 20


def test_a_good_answer_is_whole(serve: Serve) -> None:
    server = serve(lambda: iter([OK + b"Content-Length: 6\r\n\r\nab", b"cdef"]))
    with urllib3.PoolManager() as pool:
        answer = ask(
            bound(pool), "GET", server.url, headers=[("A", "1"), ("A", "2")], connect=1, seconds=5, limit=LIMIT
        )
    assert (answer.status, answer.data) == (200, b"abcdef")
    assert b"Accept-Encoding: identity" in server.got[0]
    assert b"A: 1" in server.got[0]
    assert b"A: 2" in server.got[0]


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl for a certificate")
@pytest.mark.parametrize("kind", ["endless body", "dripping headers", "good"])
def test_the_limits_hold_under_tls(kind: str, tmp_path: Path) -> None:
    new = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -addext subjectAltName=IP:127.0.0.1 -keyout k -out c"
    subprocess.run(new.split(), check=True, capture_output=True, cwd=tmp_path, timeout=30)
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(tmp_path / "c", tmp_path / "k")
    answers = {**ANSWERS, "good": quickly(OK + b"Content-Length: 2\r\n\r\nok")}
    server = Server(answers[kind], there)
    here = ssl.create_default_context(cafile=str(tmp_path / "c"))
    begin = time.monotonic()
    with urllib3.PoolManager(ssl_context=here) as pool:
        url = server.url.replace("http:", "https:")
        if kind == "good":
            assert ask(bound(pool), "GET", url, headers=[], connect=2, seconds=5, limit=LIMIT).data == b"ok"
        else:
            with pytest.raises((urllib3.exceptions.HTTPError, OSError)):
                ask(bound(pool), "GET", url, headers=[], connect=2, seconds=SECONDS, limit=LIMIT)
    assert time.monotonic() - begin < 10  # far from never, also on a busy machine
    server.close()


def test_a_limit_is_exact_enough(serve: Serve) -> None:
    server = serve(lambda: iter([OK + b"Content-Length: 2000000\r\n\r\n", b"x" * 2_000_000]))
    with urllib3.PoolManager() as pool, pytest.raises(BadAnswer, match="larger than 1024 KiB"):
        ask(bound(pool), "GET", server.url, headers=[], connect=1, seconds=5, limit=LIMIT)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_key_does_not_follow_a_redirect(status: int, serve: Serve) -> None:
    other = serve(lambda: iter([OK + b"Content-Length: 0\r\n\r\n"]))
    first = serve(lambda: iter([b"HTTP/1.1 %d Moved\r\nLocation: %s/v1/models\r\nContent-Length: 0\r\n\r\n"
                                % (status, other.url.encode())]))  # fmt: skip
    reply = ask_gateway(f"{first.url}/v1/models", key="canary-key", timeout=2)
    assert reply.status == status
    assert b"canary-key" in first.got[0]
    assert other.got == []


@pytest.mark.parametrize("kind", ["endless body", "dripping body", "gzip bomb"])
def test_a_gateway_that_misbehaves_is_told_in_words(kind: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netdoctor.gateways.gateway_http.LARGEST", LIMIT)
    reply = ask_gateway(serve(ANSWERS[kind]).url, timeout=SECONDS)
    assert reply.status == 0
    assert any(words in reply.text for words in ("larger than", "no answer within", "compressed"))


@pytest.mark.parametrize("key", ["a\nb", "a\r\nX: y", "ключ"])
def test_a_key_that_is_no_header_is_not_shown(key: str, serve: Serve) -> None:
    reply = ask_gateway(serve(ANSWERS["silence"]).url, key=key, timeout=SECONDS)
    assert (reply.status, key in reply.text) == (0, False)


@pytest.mark.parametrize("kind", ["endless body", "dripping headers", "gzip bomb", "deep"])
def test_an_api_server_that_misbehaves_is_unread(
    kind: str, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netdoctor.system.kube_api.SECONDS", SECONDS)
    monkeypatch.setattr("netdoctor.system.kube_api.LARGEST", LIMIT)
    deep = b"[" * 200_000
    answers = {**ANSWERS, "deep": lambda: iter([OK + b"Content-Length: %d\r\n\r\n" % len(deep), deep])}
    file = tmp_path / "config"
    file.write_text(config(serve(answers[kind]).url, {"token": "t"}))
    monkeypatch.setenv("KUBECONFIG", str(file))
    begin = time.monotonic()
    with pytest.raises(CannotRead, match="API server"):
        KubeApi.collect(Host())
    assert time.monotonic() - begin < 10  # far from never, also on a busy machine
