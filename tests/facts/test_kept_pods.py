"""Which failed connections NetworkPolicies forbid: after the Service's port and address are translated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.gateways.network_policies import METADATA_NAME, NetworkPolicies, Policy
from netdoctor.facts.traffic.kept_pods import KeptPods
from tests.builders import COREDNS, OLD_POD, SILENT, dns_answers, pods, points, postgres, services

LABELS = {name: {METADATA_NAME: name} for name in ("default", "kube-system")}
TO_DNS_PODS = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
TO_ADDRESS = {"ipBlock": {"cidr": "10.96.0.10/32"}}
UNREAD = CannotRead("NetworkPolicies", "403")


def policy(*egress: dict[str, Any], of: dict[str, Any] | None = None) -> NetworkPolicies:
    spec = {"podSelector": of or {}, "policyTypes": ["Egress"], "egress": list(egress)}
    return NetworkPolicies((Policy("default", "deny", spec),), LABELS)


def rule(peer: dict[str, Any], port: int) -> dict[str, Any]:
    return {"to": [peer], "ports": [{"protocol": "UDP", "port": port}, {"port": port}]}


def dns_at(target: str) -> Services:
    known = services()
    dns = tuple(replace(port, target=target) for port in known.items[1].ports)
    return replace(known, items=tuple(replace(s, ports=dns) if s.name == "kube-dns" else s for s in known.items))


def forbidden(policies: NetworkPolicies, made: Services | None = None) -> list[tuple[str, ...]]:
    asked = dns_answers(SILENT)
    found = KeptPods.collect(policies, points(), made or services(), pods(), asked, postgres())
    assert [each.vantage for each in found.items] == ["test pod", OLD_POD]
    return [each.policies for each in found.items]


@pytest.mark.parametrize(
    ("policies", "target", "kept"),
    [
        (policy(), "53", True),
        (policy(rule(TO_DNS_PODS, 53)), "53", False),
        (policy(rule(TO_ADDRESS, 53)), "53", True),  # the Service's address is translated before a policy sees it
        (policy(rule({"ipBlock": {"cidr": f"{COREDNS}/32"}}, 53)), "53", False),
        (policy(rule(TO_DNS_PODS, 53)), "5353", True),  # and so is its port
        (policy(rule(TO_DNS_PODS, 5353)), "5353", False),
        (policy(of={"matchLabels": {"app": "somebody"}}), "53", False),
    ],
)
def test_what_a_policy_forbids(policies: NetworkPolicies, target: str, kept: bool) -> None:
    assert forbidden(policies, dns_at(target)) == [("default/deny",) if kept else ()] * 2


def test_postgres_is_judged_too() -> None:
    lost = postgres("TCP")
    lost = replace(lost, stages=tuple(replace(s, reply=SILENT) if s.stage == "TCP" else s for s in lost.stages))
    found = KeptPods.collect(policy(rule(TO_DNS_PODS, 53)), points(), services(), pods(), dns_answers(), lost)
    assert {(each.service, each.port, each.policies) for each in found.items} == {
        ("default/postgres", 5432, ("default/deny",)),
    }  # fmt: skip


def test_policies_are_needed_only_where_something_failed() -> None:
    assert KeptPods.collect(UNREAD, points(), services(), pods(), dns_answers(), postgres()).items == ()
    with pytest.raises(CannotRead):
        KeptPods.collect(UNREAD, points(), services(), pods(), dns_answers(SILENT), postgres())
    none = NetworkPolicies((), {})
    assert KeptPods.collect(none, points(), services(), pods(), dns_answers(SILENT), UNREAD).items == ()


def test_a_database_keeps_out_pods_of_other_namespaces_on_purpose() -> None:
    lost = postgres("TCP")
    lost = replace(lost, stages=tuple(replace(s, reply=SILENT) if s.stage == "TCP" else s for s in lost.stages))
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}
    closed = NetworkPolicies((Policy("default", "closed", spec),), LABELS)
    strangers = replace(points(), points=tuple(replace(p, namespace="shop") for p in points().points))
    of_strangers = KeptPods.collect(closed, strangers, services(), pods(), dns_answers(), lost)
    assert {each.policies for each in of_strangers.items} == {()}
    of_its_own = KeptPods.collect(closed, points(), services(), pods(), dns_answers(), lost)
    assert {each.policies for each in of_its_own.items} == {("default/closed",)}
