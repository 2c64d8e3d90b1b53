"""Which endpoints are asked whether they refuse."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from netdoctor.facts.cluster.workloads import ContainerEnd
from netdoctor.facts.traffic import closed_endpoints
from netdoctor.facts.traffic.closed_endpoints import ClosedEndpoints
from netdoctor.system.clock import utc
from tests.builders import (
    REFUSED,
    attachments,
    dns_answers,
    pods,
    points,
    postgres,
    reach,
    service_reach,
    services,
    slices,
)

DNS = "kube-system/kube-dns"


def refusing(*ends: ContainerEnd, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The Services whose endpoints refuse, where each that is asked does."""

    def refuse(questions: Sequence[object], _seconds: float) -> list[object]:
        return [REFUSED for _ in questions]

    monkeypatch.setattr(closed_endpoints, "ask_all", refuse)
    found = ClosedEndpoints.collect(
        points(), services(), slices(), pods(ends=ends), attachments(), reach(cluster_ip=REFUSED), dns_answers(),
        postgres(), service_reach(),
    )  # fmt: skip
    return {each.service for each in found.items}


def test_an_endpoint_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DNS in refusing(monkeypatch=monkeypatch)


def test_a_pod_that_keeps_ending_is_not_asked_about_its_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    end = ContainerEnd("coredns", 1, "Error", utc(time.time() - 2), True, 5)
    assert DNS not in refusing(end, monkeypatch=monkeypatch)


@pytest.mark.parametrize(("restarts", "seconds"), [(1, 2.0), (5, 600.0)], ids=["once", "long ago"])
def test_one_that_ended_once_or_long_ago_is(restarts: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    end = ContainerEnd("coredns", 1, "Error", utc(time.time() - seconds), True, restarts)
    assert DNS in refusing(end, monkeypatch=monkeypatch)
