"""What is starting is waited for: what it alone explains is not tested, and everything else is judged as ever."""

from __future__ import annotations

import pytest

from netdoctor.diagnosis.check import look
from netdoctor.facts import Facts
from netdoctor.facts.cluster.workloads import pod_of
from netdoctor.model import Outcome
from tests.builders import SILENT, dns_answers, reach, slices, sysctls, upstream_answers
from tests.probes.starting_cases import young
from tests.worlds import catalogue, healthy

STARTING = (slices("kube-system/kube-dns"), young("12"), dns_answers(SILENT))


def seen(*different: object) -> tuple[int, list[str], list[str]]:
    """Exit status, the causes, and what could not be asked, on a node that differs so from a healthy one."""
    facts = healthy() | {type(fact): fact for fact in different}
    report = look(catalogue(), Facts(facts, live=False), experiments=False).report()
    unasked = [result.probe for result in report.results if result.outcome in (Outcome.UNKNOWN, Outcome.BLOCKED)]
    return report.exit_code, [diagnosis.cause.probe for diagnosis in report.diagnoses], unasked


def test_what_it_alone_explains_is_not_tested() -> None:
    status, causes, unasked = seen(*STARTING)
    assert (status, causes) == (3, [])
    assert {"coredns-not-ready", "cluster-dns-silent"} <= set(unasked)


def test_a_minute_later_it_is_the_cause() -> None:
    status, causes, _ = seen(*STARTING, young("01", "08:01"))
    assert (status, causes) == (1, ["coredns-not-ready"])


def test_a_known_cause_is_named_meanwhile() -> None:
    status, causes, unasked = seen(*STARTING, sysctls("0"), upstream_answers(pods=SILENT))
    assert (status, causes) == (1, ["ip-forward-disabled"])
    assert "cluster-dns-silent" not in unasked


def test_what_it_does_not_explain_is_shown() -> None:
    status, causes, unasked = seen(*STARTING, reach(SILENT))
    assert (status, causes) == (1, ["pod-to-pod-blocked"])
    assert "cluster-dns-silent" in unasked


@pytest.mark.parametrize(
    ("last", "started"),
    [
        ({}, "2026-11-30T07:00:00Z"),
        ({"reason": "Error", "exitCode": 1}, "2026-11-30T07:00:00Z"),
        ({"reason": "Unknown", "exitCode": 255}, "2026-11-30T08:00:00Z"),
    ],
)
def test_a_boot_begins_it_again_and_a_crash_does_not(last: dict[str, object], started: str) -> None:
    container = {
        "name": "coredns",
        "state": {"running": {"startedAt": "2026-11-30T08:00:00Z"}},
        "lastState": {"terminated": last} if last else {},
    }
    built = pod_of({
        "metadata": {"name": "x", "namespace": "y", "uid": "z", "creationTimestamp": "2026-11-30T07:00:00Z"},
        "status": {"phase": "Running", "containerStatuses": [container]},
    })  # fmt: skip
    assert built.started == started
