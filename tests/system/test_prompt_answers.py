"""Silence believed early, in whatever thread a fact asks; and from where this process has asked."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from netdoctor.facts import Facts
from netdoctor.system.patience import patience
from netdoctor.system.questions import believing_silence_after, is_own
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns

LONG, SHORT = 20.0, 0.2  # seconds


def test_what_this_process_has_asked_over_udp_is_its_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        assert ask_dns("127.0.0.1", "a.example.", SHORT, port=server.getsockname()[1]).answer is Answer.TIMEOUT
        _, (address, port) = server.recvfrom(512)
    assert is_own(address, port)
    assert not is_own(address, port + 1)


def ask_nobody() -> list[Reply]:
    """Ask two servers that say nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        questions = [("", lambda: ask_dns("127.0.0.1", "a.example.", LONG, port=port))] * 2
        return ask_all(questions, LONG)


def answer_late() -> Reply:
    time.sleep(3 * patience(SHORT))
    return Reply(Answer.OK, 1.0)


@dataclass(frozen=True)
class Inner:
    """what a fact asks"""

    replies: tuple[Reply, ...]

    @classmethod
    def collect(cls) -> Inner:
        return cls(tuple(ask_nobody()))


@dataclass(frozen=True)
class Outer:
    """a fact that needs another one"""

    inner: Inner

    @classmethod
    def collect(cls, inner: Inner) -> Outer:
        return cls(inner)


def test_a_fact_asks_in_the_way_that_its_look_was_begun() -> None:
    begin = time.monotonic()
    with believing_silence_after(SHORT):
        replies = Facts().get(Outer).inner.replies
    assert {reply.answer for reply in replies} == {Answer.TIMEOUT}
    assert time.monotonic() - begin < LONG / 2


def test_an_answer_is_an_answer_and_afterwards_all_is_as_before() -> None:
    with believing_silence_after(SHORT):
        assert ask_all([("", lambda: Reply(Answer.OK, 1.0))], LONG)[0].answered
    begin = time.monotonic()
    late = ask_all([("", answer_late)], LONG)
    assert late[0].answered
    assert time.monotonic() - begin > SHORT
