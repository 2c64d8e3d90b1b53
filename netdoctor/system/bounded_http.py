"""HTTP with an end: every answer has a total time and a size, nothing is unpacked, no redirect is followed.

The limits hold at the socket, below whatever could wait or grow: a status line, headers, chunk sizes and a body that
come one byte at a time, or never end, meet the same two limits.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

PIECE = 65536


class BadAnswer(HTTPError):
    """An answer that is not read to its end, and why."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer."""

    status: int
    data: bytes


class _Budget:
    """What is left for one answer."""

    def __init__(self, seconds: float, size: int) -> None:
        self.end, self.size, self.left = time.monotonic() + seconds, size, size

    def seconds(self) -> float:
        """Raises TimeoutError when the time is up."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def count(self, number: int) -> int:
        """The number; raises BadAnswer when the answer is too large."""
        self.left -= number
        if self.left < 0:
            raise BadAnswer(f"its answer is larger than {self.size >> 10} KiB")
        return number


_spent = threading.local()


def _budget() -> _Budget:
    """The budget of the request that this thread is making."""
    budget: _Budget = _spent.budget
    return budget


def _wait_no_longer(sock: socket.socket) -> None:
    left, limit = _budget().seconds(), sock.gettimeout()
    if limit is None or limit > left:
        sock.settimeout(left)


class _Socket(socket.socket):
    def recv_into(self, *arguments: Any, **named: Any) -> int:
        _wait_no_longer(self)
        return _budget().count(super().recv_into(*arguments, **named))


class _TlsSocket(ssl.SSLSocket):
    def recv_into(self, *arguments: Any, **named: Any) -> int:
        _wait_no_longer(self)
        return _budget().count(super().recv_into(*arguments, **named) or 0)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _bounded(super()._new_conn())


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _bounded(super()._new_conn())

    def connect(self) -> None:
        assert self.ssl_context is not None, "without a context of ours nothing would bound the answer"
        self.ssl_context.sslsocket_class = _TlsSocket
        super().connect()


def _bounded(sock: socket.socket) -> socket.socket:
    timeout = sock.gettimeout()
    bounded = _Socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    bounded.settimeout(timeout)
    return bounded


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def bound(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same manager, whose connections from now on keep to the limits. Raises ValueError for a SOCKS proxy."""
    if type(manager) not in (urllib3.PoolManager, urllib3.ProxyManager):
        raise ValueError("only proxies by http and https are used")
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def ask(
    manager: urllib3.PoolManager,
    method: str,
    url: str,
    *,
    headers: Iterable[tuple[str, str]],
    connect: float,
    seconds: float,
    limit: int,
    **content: Any,
) -> Response:
    """One request, answered within so many seconds and bytes. Raises HTTPError, OSError; ValueError for bad headers.

    `manager` has passed through `bound`; `content` is urllib3's body, json or fields.
    """
    _spent.budget = _Budget(seconds, limit)
    try:
        reply = manager.request(
            method,
            url,
            headers=urllib3.HTTPHeaderDict([*headers, ("Accept-Encoding", "identity")]),
            redirect=False,
            retries=False,
            timeout=urllib3.Timeout(connect=min(connect, seconds), read=seconds),
            preload_content=False,
            decode_content=False,
            **content,
        )
        try:
            data = _body(reply)
        except BaseException:
            reply.close()  # what is left of the answer is nobody's
            raise
        reply.release_conn()
        return Response(reply.status, data)
    finally:
        del _spent.budget


def _body(reply: urllib3.BaseHTTPResponse) -> bytes:
    encoding = reply.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise BadAnswer("its answer is compressed, which nobody asked for")
    return b"".join(reply.stream(PIECE, decode_content=False))
