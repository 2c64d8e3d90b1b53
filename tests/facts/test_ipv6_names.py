"""Queries for both kinds of address: who asks, what is paired, and what is asked once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from netdoctor.facts.traffic import ipv6_names
from netdoctor.facts.traffic.ipv6_names import Ipv6Names
from netdoctor.facts.traffic.names import OUTSIDE_NAME, SERVICE_NAME
from netdoctor.system.traffic import Reply
from tests.builders import NXDOMAIN, OK, OLD_POD, SERVFAIL, SILENT, points, services

Asked = list[tuple[str, str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Record and name of each query; none is sent: AAAA of outside names is lost the first time."""
    queries: Asked = []

    def ask(_server: str, name: str, record: str) -> Callable[[], Reply]:
        def reply() -> Reply:
            queries.append((record, name))
            if name.endswith("example.com"):
                return NXDOMAIN if record == "A" or queries.count((record, name)) > 1 else SILENT
            return OK if record == "A" else SERVFAIL

        return reply

    def ask_all(questions: Sequence[tuple[str, Callable[[], Reply]]], _within: float) -> list[Reply]:
        return [question() for _, question in questions]

    monkeypatch.setattr(ipv6_names, "_ask", ask)
    monkeypatch.setattr(ipv6_names, "ask_all", ask_all)
    return queries


def test_two_pods_ask_for_both_and_what_differs_once_more(asked: Asked) -> None:
    found = Ipv6Names.collect(points(), services())
    assert [(each.vantage, each.kind) for each in found.lookups] == [
        ("test pod", SERVICE_NAME), ("test pod", OUTSIDE_NAME), (OLD_POD, SERVICE_NAME), (OLD_POD, OUTSIDE_NAME),
    ]  # fmt: skip
    assert [each.differs for each in found.lookups] == [True, False, True, False]
    assert [record for record, _ in asked] == ["A"] * 4 + ["AAAA"] * 8
    assert len(found.failing(SERVICE_NAME)) == 2
    assert found.failing(OUTSIDE_NAME) == ()


def test_nothing_fails_where_nobody_asked() -> None:
    assert Ipv6Names(()).failing(SERVICE_NAME) == ()
