"""Evidence has the values of its sentence as data, so that a program need not take the sentence apart."""

from __future__ import annotations

import pytest

from netdoctor.model import Evidence
from netdoctor.values import Values
from tests.probes.cases import FAIL
from tests.probes.test_probes import CASES
from tests.worlds import catalogue, judge

# whose evidence is a text of somebody else's, or names nothing that Values has a field for
WITHOUT = {
    "api-server-unreachable", "cni-config-unusable", "corefile-invalid", "found-by-experiment", "image-not-obtainable",
    "packets-taken-by-program", "secret-key-missing",
}  # fmt: skip


def evidence_of(probe: str) -> list[Evidence]:
    """What its red cases show."""
    red = [case for case in CASES if case.probe == probe and case.outcome is FAIL]
    findings = [finding for case in red for finding in judge(probe, *case.facts, unread=case.unread).findings]
    return [item for finding in findings for item in finding.evidence]


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_a_probe_has_values_unless_it_knows_none(name: str) -> None:
    assert any(item.data != Values() for item in evidence_of(name)) == (name not in WITHOUT)


@pytest.mark.parametrize(
    ("probe", "data"),
    [
        ("packets-dropped-by-rule",
         Values(family="inet", table="hardening", chain="forward", handle=7, rule="udp dport 53 drop")),
        ("ip-forward-disabled", Values(setting="net.ipv4.ip_forward", value="0", expected="1")),
        ("pod-to-pod-blocked",
         Values(pod="test pod", address="10.244.0.2", port=53, protocol="tcp", answer="timeout")),
        ("coredns-upstream-dead", Values(address="8.8.8.8", port=53, protocol="udp", answer="timeout")),
        ("cluster-dns-silent",
         Values(pod="test pod", address="10.96.0.10", port=53, protocol="udp", answer="timeout",
                name="kubernetes.default.svc.cluster.local.")),
        ("postgres-unreachable",
         Values(pod="test pod", service="default/postgres", address="10.96.0.50", port=5432, answer="timeout")),
        ("firewalld-rejects-pods",
         Values(pod="default/client-7d9-abcde", address="10.244.0.3", zone="public", expected="trusted")),
        ("pod-masquerade-missing", Values(table="nat", chain="POSTROUTING", count=1)),
        ("kube-proxy-rules-missing", Values(count=4, of=4)),
        ("endpoint-port-closed",
         Values(pod="kube-system/coredns-1", service="kube-system/kube-dns", address="10.244.0.2", port=5353)),
        ("node-port-taken", Values(service="litellm/litellm-llm", port=30100)),
    ],
)  # fmt: skip
def test_which_values(probe: str, data: Values) -> None:
    assert data in [item.data for item in evidence_of(probe)]


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_a_value_stands_in_the_sentence_too(name: str) -> None:
    for item in evidence_of(name):
        words = f"{item.source} {item.observed} {item.expected}".replace("/", ".")
        for value in (item.data.chain, item.data.rule, item.data.interface, item.data.file, item.data.route):
            assert value.replace("/", ".") in words
