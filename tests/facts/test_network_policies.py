"""NetworkPolicies: what each part of the specification means, on literal objects."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.network_policies import NetworkPolicies, Place, Policy, in_block, matches, policy_of

GATEWAY = Place("llm", "10.244.0.7", "litellm", {"app": "litellm", "tier": "web"})
DNS = Place(
    "coredns", "10.244.0.2", "kube-system", {"k8s-app": "kube-dns"}, (("dns", "UDP", 53), ("dns-tcp", "TCP", 53))
)
POSTGRES = Place("postgres", "10.244.0.9", "litellm", {"app": "postgres"}, (("postgres", "TCP", 5432),))
PROVIDER = Place("example.com", "93.184.215.14")
LABELS = {
    "litellm": {"kubernetes.io/metadata.name": "litellm"},
    "kube-system": {"kubernetes.io/metadata.name": "kube-system"},
}


def policies(*specs: str, namespace: str = "litellm") -> NetworkPolicies:
    return NetworkPolicies(
        tuple(Policy(namespace, f"p{place}", yaml.safe_load(spec)) for place, spec in enumerate(specs)), LABELS
    )


def allowed(known: NetworkPolicies, target: Place, port: int, protocol: str = "TCP", source: Place = GATEWAY) -> bool:
    return known.allows(source, target, protocol, port)[0]


def test_without_a_policy_everything_is_open() -> None:
    assert allowed(policies(), PROVIDER, 443)


def test_one_that_selects_another_pod_is_not_ours() -> None:
    assert allowed(policies("{podSelector: {matchLabels: {app: other}}, policyTypes: [Egress]}"), PROVIDER, 443)


def test_one_of_another_namespace_is_not_ours() -> None:
    assert allowed(policies("{podSelector: {}, policyTypes: [Egress]}", namespace="default"), PROVIDER, 443)


def test_an_isolated_pod_without_a_rule_may_nothing() -> None:
    known = policies("{podSelector: {}, policyTypes: [Egress]}")
    assert [str(p) for p in known.allows(GATEWAY, DNS, "UDP", 53)[1]] == ["litellm/p0"]


@pytest.mark.parametrize(
    ("spec", "isolates"),
    [
        ("{podSelector: {}}", False),  # ingress only
        ("{podSelector: {}, egress: []}", False),  # an empty list says nothing without policyTypes
        ("{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}", True),
        ("{podSelector: {}, policyTypes: [Ingress], egress: [{to: [{podSelector: {}}]}]}", False),
    ],
)
def test_policy_types_have_defaults(spec: str, *, isolates: bool) -> None:
    assert allowed(policies(spec), PROVIDER, 443) is not isolates


def test_rules_of_all_policies_count_together() -> None:
    deny = "{podSelector: {}, policyTypes: [Egress]}"
    allow = "{podSelector: {matchLabels: {tier: web}}, egress: [{ports: [{protocol: UDP, port: 53}]}]}"
    assert not allowed(policies(deny), DNS, 53, "UDP")
    assert allowed(policies(deny, allow), DNS, 53, "UDP")
    assert not allowed(policies(deny, allow), DNS, 53, "TCP")


@pytest.mark.parametrize(
    ("rule", "target", "port", "ok"),
    [
        ("{}", PROVIDER, 443, True),  # an empty rule allows everything
        ("{to: [{podSelector: {}}]}", POSTGRES, 5432, True),  # the policy's own namespace
        ("{to: [{podSelector: {}}]}", DNS, 53, False),
        ("{to: [{podSelector: {}}]}", PROVIDER, 443, False),
        ("{to: [{namespaceSelector: {}}]}", DNS, 53, True),
        ("{to: [{namespaceSelector: {}}]}", PROVIDER, 443, False),  # no namespace holds the outside
        ("{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}", DNS, 53, True),
        ("{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]}", DNS, 53, True),
        ("{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: other}}}]}", DNS, 53, False),
        ("{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}", PROVIDER, 443, True),
        ("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [93.184.0.0/16]}}]}", PROVIDER, 443, False),
        ("{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}", PROVIDER, 443, False),
        ("{to: [{ipBlock: {cidr: '::/0'}}]}", PROVIDER, 443, False),
        ("{ports: [{port: 5432}]}", POSTGRES, 5432, True),  # TCP unless it says so
        ("{ports: [{port: 5432, protocol: UDP}]}", POSTGRES, 5432, False),
        ("{ports: [{protocol: TCP}]}", POSTGRES, 5432, True),
        ("{ports: [{port: postgres}]}", POSTGRES, 5432, True),
        ("{ports: [{port: postgres}]}", PROVIDER, 5432, False),  # an address has no names for its ports
        ("{ports: [{port: 5000, endPort: 6000}]}", POSTGRES, 5432, True),
        ("{ports: [{port: 5000, endPort: 5400}]}", POSTGRES, 5432, False),
        ("{to: [{ipBlock: {cidr: 9.0.0.0/8}}, {podSelector: {}}], ports: [{port: 1}, {port: 5432}]}", POSTGRES, 5432,
         True),
    ],
)  # fmt: skip
def test_a_rule(rule: str, target: Place, port: int, *, ok: bool) -> None:
    assert allowed(policies(f"{{podSelector: {{}}, policyTypes: [Egress], egress: [{rule}]}}"), target, port) is ok


def test_the_other_end_has_to_allow_it_too() -> None:
    known = policies(
        "{podSelector: {matchLabels: {app: postgres}}, ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]}"
    )
    ok, blamed = known.allows(GATEWAY, POSTGRES, "TCP", 5432)
    assert (ok, [str(p) for p in blamed]) == (False, ["litellm/p0"])
    assert allowed(known, POSTGRES, 5432, source=Place("x", "", "litellm", {"app": "x"}))


@pytest.mark.parametrize(
    ("selector", "labels", "ok"),
    [
        ({}, {}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, {"a": "1"}, False),
    ],
)
def test_selectors(selector: dict[str, Any], labels: dict[str, str], *, ok: bool) -> None:
    assert matches(selector, labels) is ok


def test_a_block_that_is_none_cannot_be_judged() -> None:
    assert not in_block({"cidr": "10.0.0.0/8"}, "")  # a pod that has no address yet
    with pytest.raises(CannotRead, match="ipBlock"):
        in_block({"cidr": "nonsense"}, "10.0.0.1")


def test_an_object_becomes_a_policy() -> None:
    assert str(policy_of({"metadata": {"name": "p"}})) == "default/p"
