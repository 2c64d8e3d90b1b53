"""Every probe on facts built by hand, case by case."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import tests.probes
from netdoctor.facts.cluster.coredns import Corefile, Upstreams
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.names import ClusterDns, UpstreamAnswers
from netdoctor.facts.traffic.postgres import Postgres
from netdoctor.facts.traffic.reach import Reach
from netdoctor.facts.traffic.vantage import VantagePoints
from tests.builders import (
    NODE_NAME,
    OLD_POD,
    REJECTED,
    SILENT,
    firewalld,
    pods,
    reach,
    slices,
    sysctls,
    upstream_answers,
    workloads,
)
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, Case
from tests.worlds import catalogue, judge, unread

CASES: list[Case] = [
    case
    for module in pkgutil.iter_modules(tests.probes.__path__, "tests.probes.")
    if module.name.endswith("_cases")
    for case in importlib.import_module(module.name).CASES
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.probe}: {case.story}")
def test_case(case: Case) -> None:
    result = judge(case.probe, *case.facts, unread=case.unread)
    said = " ".join([result.reason, *(f.summary for f in result.findings)])
    assert result.outcome is case.outcome, said
    assert case.says in said
    for finding in result.findings:
        assert finding.severity is case.severity
        assert finding.confidence is case.confidence
        assert finding.probe == case.probe
        assert finding.evidence
        assert "\n" not in finding.summary
    observed = [text for f in result.findings for e in f.evidence for text in (e.observed, e.source, e.expected)]
    if case.evidence:
        assert any(case.evidence in text for text in observed), observed


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_every_probe_has_a_red_and_a_green_case(name: str) -> None:
    outcomes = {case.outcome for case in CASES if case.probe == name}
    assert FAIL in outcomes
    assert PASS in outcomes or judge(name).outcome is PASS


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_a_healthy_node_has_no_fault(name: str) -> None:
    result = judge(name)
    assert result.outcome in (PASS, NOT_APPLICABLE), result


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_what_cannot_be_read_is_never_a_fault_by_itself(name: str) -> None:
    everything = unread(Services, EndpointSlices, Attachments, Firewalld, Reach, ClusterDns, UpstreamAnswers,
                        VantagePoints, Postgres, Pods, Corefile, Upstreams, Links)  # fmt: skip
    result = judge(name, unread=everything)
    assert result.outcome is not FAIL, result


def test_a_finding_about_the_node_says_so() -> None:
    finding = judge("ip-forward-disabled", sysctls("0"), upstream_answers(pods=SILENT)).findings[0]
    assert finding.subject.node == NODE_NAME


def test_the_rejected_pod_and_its_zone_are_evidence() -> None:
    finding = judge("firewalld-rejects-pods", firewalld("10.244.0.9/32"), reach(old=REJECTED)).findings[0]
    text = " ".join(f"{e.source} {e.observed}" for e in finding.evidence)
    assert OLD_POD in text
    assert "public, by the default zone" in text
    assert "3/13 from 10.244.0.1" in text


def test_a_coredns_that_is_scaled_to_0_is_somebodys_wish_and_one_that_is_not_ready_is_not() -> None:
    (scaled,) = judge("coredns-not-ready", slices("kube-system/kube-dns"), workloads(0), Pods(())).findings
    (down,) = judge("coredns-not-ready", slices("kube-system/kube-dns"), pods(ready=False)).findings
    assert (scaled.wanted, down.wanted) == (True, False)
