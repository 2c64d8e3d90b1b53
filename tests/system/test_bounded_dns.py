"""Resolvers that misbehave, on loopback: their answers have an end in time and size."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from netdoctor.system.traffic import MOST_ADDRESSES, Answer, Reply, ask_dns


def large(query: bytes) -> bytes:
    """An answer that nearly fills a message over TCP: 4000 addresses under the name that was asked for."""
    question = query[12 : query.index(b"\0", 12) + 5]
    records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a" + n.to_bytes(3, "big") for n in range(4000))
    return query[:2] + struct.pack("!5H", 0x8180, 1, 4000, 0, 0) + question + records


def whole(query: bytes) -> Iterator[bytes]:
    wire = large(query)
    yield struct.pack("!H", len(wire)) + wire


def endless(_query: bytes) -> Iterator[bytes]:
    while True:
        yield struct.pack("!H", 65535) + bytes(65535)


def drip(_query: bytes) -> Iterator[bytes]:
    yield struct.pack("!H", 65535)
    while True:
        time.sleep(0.05)
        yield b"x"


@pytest.fixture
def asked() -> Iterator[Callable[[Callable[[bytes], Iterator[bytes]]], Reply]]:
    listeners = []

    def ask(answer: Callable[[bytes], Iterator[bytes]]) -> Reply:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
                with connection:
                    for part in answer(connection.recv(4096)[2:]):
                        connection.sendall(part)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        return ask_dns("127.0.0.1", "a.example.", 0.6, over_tcp=True, port=listener.getsockname()[1])

    yield ask
    for listener in listeners:
        listener.close()


def test_a_few_addresses_are_told(asked: Callable[[Callable[[bytes], Iterator[bytes]]], Reply]) -> None:
    reply = asked(whole)
    assert reply.answer is Answer.OK
    assert len(reply.detail.split(", ")) == MOST_ADDRESSES


@pytest.mark.thorough
@pytest.mark.parametrize("answer", [endless, drip])
def test_an_answer_has_an_end(
    answer: Callable[[bytes], Iterator[bytes]], asked: Callable[[Callable[[bytes], Iterator[bytes]]], Reply]
) -> None:
    begin = time.monotonic()
    reply = asked(answer)
    assert time.monotonic() - begin < 10  # far from never, also on a busy machine
    assert reply.answer in (Answer.ERROR, Answer.TIMEOUT)
