"""Where a probe has remedies for some forms of a fault: `check` names one that has something to do, or the command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.runner import run
from netdoctor.diagnosis.way_out import with_way_out
from netdoctor.facts import Facts
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.model import Diagnosis
from tests.builders import SILENT, dns_answers, pods, postgres, services, slices, workloads
from tests.worlds import catalogue, world

SILENT_DNS = dns_answers(SILENT, SILENT)
NOT_READY = slices("kube-system/kube-dns")
STATES: dict[str, tuple[Facts, list[str]]] = {
    # a recording does not hold the object, so whether the node's can be scaled is for `fix` on the node to say
    "scaled to 0": (world(NOT_READY, workloads(0), Pods(()), SILENT_DNS, postgres("name")), ["scale-coredns"]),
    "not ready": (world(NOT_READY, pods(ready=False), SILENT_DNS, postgres("name")), []),
    "selector of nobody, and which workload fits is a guess": (
        world(slices("default/postgres"), services(postgres_selector="postgers"), postgres("TCP", "refused")), [],
    ),
}  # fmt: skip


def diagnosed(facts: Facts) -> Diagnosis:
    (found,) = diagnose(catalogue(), run(catalogue(), facts))
    return found


@pytest.mark.parametrize("state", list(STATES))
def test_a_remedy_with_nothing_to_do_gives_way_to_the_command(state: str) -> None:
    facts, remedies = STATES[state]
    before = diagnosed(facts)
    assert before.cause.by_hand
    assert before.remedies
    after = with_way_out(catalogue(), before, facts)
    assert list(after.remedies) == remedies
    assert after.cause == before.cause


def test_without_a_command_the_remedies_stay() -> None:
    facts, _ = STATES["not ready"]
    before = diagnosed(facts)
    before = replace(before, cause=replace(before.cause, by_hand=()))
    assert with_way_out(catalogue(), before, facts) == before
