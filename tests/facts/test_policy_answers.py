"""What policies let the modules do: they see a pod's own port, and not the one of its Service."""

from __future__ import annotations

from typing import Any

import pytest

from netdoctor.facts.cluster.services import Service, ServicePort, Services
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.litellm_config import Database
from netdoctor.facts.gateways.network_policies import NetworkPolicies, policy_of
from netdoctor.facts.traffic.policy_answers import POSTGRES, PolicyAnswers
from tests.builders import services
from tests.facts.test_module_needs import objects
from tests.gateways.module_builders import gateway, modules, provider

SET = {
    "kind": "StatefulSet", "metadata": {"name": "postgres", "namespace": "litellm"},
    "spec": {"template": {"metadata": {"labels": {"app": "pg"}}, "spec": {"containers": [
        {"name": "postgres", "ports": [{"name": "pg", "containerPort": 6432}]}]}}},
}  # fmt: skip


def answers(target: str, allowed: object, *, deployed: bool) -> bool:
    """Whether llm reaches Postgres, whose Service leads to `target`, where the policy allows this port alone."""
    egress = {"ports": [{"protocol": "TCP", "port": allowed}]}
    policy = {
        "metadata": {"name": "egress", "namespace": "litellm"},
        "spec": {"podSelector": {"matchLabels": {"app": "llm"}}, "policyTypes": ["Egress"], "egress": [egress]},
    }
    spec: dict[str, Any] = {"selector": {"app": "pg"}, "ports": [{"port": 5432, "targetPort": target}]}
    described = {"kind": "Service", "metadata": {"name": "postgres", "namespace": "litellm"}, "spec": spec}
    there: tuple[Service, ...] = ()
    if deployed:
        port = ServicePort("", "TCP", 5432, 0, target)
        there = (Service("litellm", "postgres", "ClusterIP", "10.96.0.77", (port,), {"app": "pg"}),)
    found = PolicyAnswers.collect(
        NetworkPolicies((policy_of(policy),), {}),
        modules(gateway(database=Database("postgres", 5432, "litellm_llm", "litellm"))),
        objects(described, SET), Services((*services().items, *there), ""), Pods(()), provider(),
    )  # fmt: skip
    return next(answer.allowed for answer in found.items if answer.target == POSTGRES)


@pytest.mark.parametrize("deployed", [False, True])
@pytest.mark.parametrize(
    ("target", "allowed", "reached"),
    [
        ("5432", 5432, True),
        ("6432", 6432, True), ("6432", 5432, False),  # the Service's port is translated before a policy sees it
        ("pg", 6432, True), ("pg", "pg", True), ("pg", 5432, False),
        ("", 5432, True),
    ],
)  # fmt: skip
def test_the_pods_own_port_is_what_a_policy_sees(target: str, allowed: object, reached: bool, deployed: bool) -> None:
    assert answers(target, allowed, deployed=deployed) is reached
