"""Logs in at a Postgres in a process of its own, which has nothing to lose: run by facts/postgres_session.py.

It becomes nobody, has a limit of memory, and is killed when its time is up: a server that never ends, or that finds a
fault in libpq, has this process and no more. One JSON object comes on standard input, one goes to standard output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

MEMORY = 768 << 20  # bytes of address space
MOST_ROWS = 10_000
LONGEST_NAME = 63  # bytes of a name in Postgres
FIRST_WITH_REQUIRE_AUTH = 160000  # libpq's version


def main() -> None:
    """Log in as each of the logins, one after the other."""
    asked = json.load(sys.stdin)
    sys.path[:] = asked["path"]
    import psycopg

    version = psycopg.pq.version()
    if version < FIRST_WITH_REQUIRE_AUTH:
        json.dump({"too_old": version}, sys.stdout)
        return
    _become_nobody()
    answers = []
    for parameters in asked["logins"]:
        begin = time.monotonic()
        answers.append(_log_in(psycopg, {**asked["parameters"], **parameters}, asked["slots"]))
        if time.monotonic() - begin > asked["seconds"]:
            break  # it hangs, and would for the others
    json.dump({"answers": answers}, sys.stdout)


def _become_nobody() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the password would be in it
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
