"""Which gateways do not stay up, and why, in their own words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netdoctor.facts.cluster.workloads import ContainerEnd, Pod, Pods
from netdoctor.facts.gateways.gateway_ends import GatewayEnds
from tests.builders import pod
from tests.facts.log_api import ApiOfOneLog
from tests.gateways.module_builders import modules

P1013 = "Error: P1013: The provided database string is invalid. invalid port number in database URL\n"
CANARY = "canary0f1e2d3c4b5a"


def gateway_pod(restarts: int = 4, **changed: Any) -> Pod:
    end = ContainerEnd("litellm", 1, "Error", "2026-01-01T00:00:00Z", False, restarts)
    built = pod("litellm-llm-1", "litellm", "10.244.0.8", {"app": "llm"}, ends=(end,), ready=False)
    return replace(built, **changed)


def collected(api: ApiOfOneLog, *known: Pod) -> GatewayEnds:
    return GatewayEnds.collect(api, Pods(known), modules())  # type: ignore[arg-type]


def test_its_log_says_why() -> None:
    (end,) = collected(ApiOfOneLog(P1013), gateway_pod()).items
    assert (end.program, end.cause) == ("llm", "gateway-keeps-ending")
    assert "database URL is invalid" in end.means


@pytest.mark.parametrize(
    "other",
    [
        gateway_pod(restarts=1), gateway_pod(namespace="shop"), gateway_pod(labels={"app": "x"}), gateway_pod(ends=()),
        gateway_pod(leaving=True), gateway_pod(owner=""),
    ],
    ids=["once", "of another namespace", "of another workload", "never", "being deleted", "without an owner"],
)  # fmt: skip
def test_nothing_is_read_of_others(other: Pod) -> None:
    api = ApiOfOneLog(P1013)
    assert collected(api, other).items == ()
    assert api.asked == 0


def test_a_recording_keeps_no_line_that_is_not_known() -> None:
    found = collected(ApiOfOneLog(f"KeyError: {CANARY}\n"), gateway_pod())
    assert CANARY in repr(found)
    assert CANARY not in repr(found.without_unknown_words())
