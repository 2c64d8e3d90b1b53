"""Logs in at a Postgres in a process of its own, which has nothing to lose: run by facts/gateways/postgres_session.py.

Each session runs in a process of its own, which enters its network namespace and becomes nobody before it connects.
They have a limit of memory, and are killed when their time is up: a server that never ends, or that finds a fault in
libpq, has such a process and no more. One JSON object comes on standard input, one goes to standard output.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import selectors
import sys
import time
from contextlib import suppress
from typing import Any

MEMORY = 768 << 20  # bytes of address space
MOST_ROWS = 10_000
LONGEST_NAME = 63  # bytes of a name in Postgres
FIRST_WITH_REQUIRE_AUTH = 160000  # libpq's version
CLONE_NEWNET = 0x40000000
LARGEST = 1 << 20  # bytes of a session's answers


def main() -> None:
    """Hold each session in a process of its own, all at once; the answers come in the order of the sessions."""
    asked = json.load(sys.stdin)
    sys.path[:] = asked["path"]
    import psycopg

    version = psycopg.pq.version()
    if version < FIRST_WITH_REQUIRE_AUTH:
        json.dump({"too_old": version}, sys.stdout)
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the password would be in it
    end = time.monotonic() + asked["within"]
    pipes = [_begin(psycopg, session, asked) for session in asked["sessions"]]
    _become_nobody()
    json.dump({"sessions": _told(pipes, end)}, sys.stdout)


def _begin(psycopg: Any, session: dict[str, Any], asked: dict[str, Any]) -> int:
    """Hold a session in a new process; the end of a pipe on which its answers come."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.close(reading)
            answers = _answers(psycopg, session, asked)
            with os.fdopen(writing, "w") as pipe:
                json.dump(answers, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    return reading


def _told(pipes: list[int], end: float) -> list[Any]:
    """The answers of each session; None where its process ended without any, or not before the end."""
    texts = {pipe: b"" for pipe in pipes}
    finished: dict[int, Any] = {}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                data = os.read(key.fd, 65536)
                texts[key.fd] += data
                if not data:
                    with suppress(ValueError):
                        finished[key.fd] = json.loads(texts[key.fd])
                if not data or len(texts[key.fd]) > LARGEST:
                    selector.unregister(key.fd)
    return [finished.get(pipe) for pipe in pipes]


def _answers(psycopg: Any, session: dict[str, Any], asked: dict[str, Any]) -> Any:
    """The answers of a session's logins, or why nobody was asked."""
    try:
        _enter(session["netns"])
    except OSError as error:
        return {"error": error.strerror}
    _become_nobody()
    return _log_in_as_each(psycopg, session, asked)


def _enter(netns: int | None) -> None:
    """Go into the network namespace of this descriptor, if there is one, and close it. Raises OSError."""
    if netns is None:
        return
    if ctypes.CDLL(None, use_errno=True).setns(netns, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    os.close(netns)


def _log_in_as_each(psycopg: Any, session: dict[str, Any], asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Log in as each of the session's logins, one after the other."""
    answers = []
    for login in session["logins"]:
        begin = time.monotonic()
        parameters = {**asked["parameters"], **session["parameters"], **login}
        answers.append(_log_in(psycopg, parameters, session["slots"]))
        if time.monotonic() - begin > asked["seconds"]:
            break  # it hangs, and would for the others
    return answers


def _become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)


def _log_in(psycopg: Any, parameters: dict[str, Any], slots: str) -> dict[str, Any]:
    begin = time.monotonic()
    answer: dict[str, Any] = {}
    try:
        with psycopg.connect(**parameters) as connection:
            answer["connected"] = time.monotonic() - begin
            answer["selected"] = _select(psycopg, connection, answer)
            answer["seconds"] = time.monotonic() - begin
            if slots and answer["selected"]:
                answer["slots"] = _slots(psycopg, connection, slots)
    except (psycopg.Error, MemoryError, ValueError) as error:
        answer.setdefault("error", str(error)[:2000] or type(error).__name__)
    return answer


def _select(psycopg: Any, connection: Any, answer: dict[str, Any]) -> bool:
    try:
        connection.execute("SELECT 1").fetchone()
    except psycopg.Error as error:
        answer["error"], answer["sqlstate"] = str(error)[:2000], error.sqlstate or ""
        return False
    return True


def _slots(psycopg: Any, connection: Any, question: str) -> list[list[Any]]:
    try:
        rows = connection.execute(question).fetchmany(MOST_ROWS)
    except psycopg.Error:  # a pooler, or another database that speaks the protocol
        return []
    return [[int(row[0]), int(row[1]), str(row[2])[:LONGEST_NAME], str(row[3])[:LONGEST_NAME]] for row in rows]


if __name__ == "__main__":
    main()
