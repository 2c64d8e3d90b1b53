"""Which names are asked for in the domains that pods search."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.facts.traffic import searched_names
from netdoctor.facts.traffic.searched_names import SearchedNames
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.system.traffic import Answer, Reply
from tests.builders import points

CLUSTER = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")


def searching(*domains: str) -> VantagePoints:
    return replace(points(), points=tuple(replace(p, search=domains) if p.nameservers else p for p in points().points))


@pytest.mark.parametrize(
    ("domains", "asked"),
    [
        (CLUSTER, []),
        ((), []),
        ((*CLUSTER, "corp.example", "lab.corp.example."), ["corp.example", "lab.corp.example."]),
        (("corp.example",), []),  # a pod that does not ask the cluster DNS
        ((*CLUSTER, *"abcdef"), [*"abcd"]),
    ],
)
def test_the_domains_beside_the_clusters(
    domains: tuple[str, ...], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Reply(Answer.OK, 1.0, "", "203.0.113.9")
    monkeypatch.setattr(searched_names, "ask_all", lambda questions, _seconds: [answer] * len(questions))
    found = SearchedNames.collect(searching(*domains)).items
    assert [each.domain for each in found] == asked
    assert all(each.name.endswith(f".example.com.{each.domain.rstrip('.')}.") and each.exists for each in found)
    assert {each.vantage for each in found} <= {"test pod"}
