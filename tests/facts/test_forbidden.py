"""Which lost connections NetworkPolicies forbid, and which of those are what the policies are for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.network_policies import NetworkPolicies, Policy
from netdoctor.facts.traffic.forbidden import AskedConnection, Forbidden
from netdoctor.facts.traffic.postgres import TCP, Postgres
from tests.builders import COREDNS, DNS_ADDRESS, NODE_ADDRESS, OK, OLD_POD, SILENT, points, postgres, services, slices
from tests.builders import pods as pods_of_cluster
from tests.facts.test_kept_pods import LABELS, TO_DNS_PODS, UNREAD, policy, rule

POSTGRES = "10.96.0.20"
OUTSIDE = "8.8.8.8"
CLIENT_ALONE = {"matchLabels": {"app": "client"}}


def forbidden(policies: NetworkPolicies | CannotRead) -> Forbidden:
    return Forbidden.collect(policies, pods_of_cluster(), services(), slices())


@pytest.mark.parametrize(
    ("policies", "address", "port", "kept"),
    [
        (policy(), OUTSIDE, 53, True),
        (policy(), COREDNS, 53, True),
        (policy(), DNS_ADDRESS, 53, True),
        (policy(rule(TO_DNS_PODS, 53)), DNS_ADDRESS, 53, False),  # the pods behind the Service are what a policy sees
        (policy(rule(TO_DNS_PODS, 53)), COREDNS, 53, False),
        (policy(rule(TO_DNS_PODS, 53)), OUTSIDE, 53, True),
        (policy(rule({"ipBlock": {"cidr": f"{OUTSIDE}/32"}}, 53)), OUTSIDE, 53, False),
        (policy(of=CLIENT_ALONE), OUTSIDE, 53, False),  # it is about other pods
        (NetworkPolicies((), LABELS), OUTSIDE, 53, False),
        (UNREAD, OUTSIDE, 53, False),
    ],
)
def test_what_policies_keep_a_pod_from(
    policies: NetworkPolicies | CannotRead, address: str, port: int, kept: bool
) -> None:
    known = forbidden(policies)
    assert known.keeps(points().named(OLD_POD), address, "udp", port) is kept
    assert not known.keeps(points().named("host"), address, "udp", port), "no policy is about the host"


def test_a_pod_in_the_network_of_its_host_is_no_place_of_a_policy() -> None:
    of_host = replace(pods_of_cluster().items[0], addresses=(NODE_ADDRESS,), host_network=True)
    known = Forbidden.collect(policy(), replace(pods_of_cluster(), items=(of_host,)), services(), slices())
    assert known.places == {}
    assert known.keeps(points().named(OLD_POD), NODE_ADDRESS, "tcp", 10250)


def test_what_is_forbidden_and_lost_is_lost_on_purpose_where_somebody_enforces_it() -> None:
    known, client = forbidden(policy(rule(TO_DNS_PODS, 53))), points().named(OLD_POD)
    allowed, outside = (
        AskedConnection(client, COREDNS, "udp", 53, False),
        AskedConnection(client, OUTSIDE, "udp", 53, False),
    )
    to_node = AskedConnection(client, NODE_ADDRESS, "tcp", 10250, True)
    with_node = Forbidden(known.policies, known.places, known.services, known.endpoints, frozenset((NODE_ADDRESS,)))
    assert known.on_purpose([allowed, outside]) == [False, True]
    assert with_node.on_purpose([allowed, outside, to_node]) == [False, True, False]
    passes = AskedConnection(client, "10.244.0.77", "tcp", 9, True)
    assert known.on_purpose([allowed, outside, passes]) == [False, False, False], "nobody enforces it"
    assert known.on_purpose([allowed, outside, outside._replace(answered=True)]) == [False, False, False]
    of_new_pod = outside._replace(point=points().named("test pod"), answered=True)
    assert known.on_purpose([allowed, outside, of_new_pod]) == [False, True, False], "an engine follows a moment later"


def asked(lost: str) -> Postgres:
    """Postgres, asked by the test pod and by a client, of which this one gets no answer."""
    made = postgres("TCP")
    stages = [s for s in made.stages if s.stage == TCP]
    assert {s.vantage for s in stages} == {"test pod", OLD_POD}
    return replace(made, stages=tuple(replace(s, reply=SILENT if s.vantage == lost else OK) for s in stages))


def left(policies: NetworkPolicies, lost: str) -> list[str]:
    stages = list(asked(lost).stages)
    return [stage.vantage for stage in forbidden(policies).without_intended(stages, points())]


def test_who_is_kept_out_while_a_neighbour_is_let_in_is_kept_out_on_purpose() -> None:
    to_postgres = {"ipBlock": {"cidr": "10.244.0.0/16"}}
    for_client = Policy("default", "client", {
        "podSelector": CLIENT_ALONE, "policyTypes": ["Egress"], "egress": [rule(to_postgres, 5432)],
    })  # fmt: skip
    deny = policy().items[0]
    with_labels = [replace(p, labels=(("app", "client"),)) if p.name == OLD_POD else p for p in points().points]
    known = Forbidden.collect(
        NetworkPolicies((deny, for_client), LABELS), pods_of_cluster(), services(), slices()
    )  # fmt: skip
    stages = list(asked("test pod").stages)
    assert known.lets(with_labels[-1], stages[-1].address, "tcp", stages[-1].port)
    found = known.without_intended(stages, replace(points(), points=tuple(with_labels)))
    assert [stage.vantage for stage in found] == [OLD_POD]


def test_what_no_policy_has_thought_of_stays() -> None:
    assert left(policy(of={"matchLabels": {}}), "test pod") == ["test pod", OLD_POD], "nobody is let in"
    nobody = NetworkPolicies((), LABELS)
    assert left(nobody, "test pod") == ["test pod", OLD_POD]
