"""The table of relations: what contradicts what, and that nothing contradicts what is not known."""

from __future__ import annotations

import pytest

from netdoctor.facts.traffic import relations
from netdoctor.facts.traffic.claims import About, Claim, Claims
from netdoctor.facts.traffic.relations import RELATIONS, contradictions
from tests.worlds import catalogue, world


def test_each_relation_is_judged_by_a_probe_and_says_what_comes_of_it() -> None:
    for relation in RELATIONS:
        assert relation.probe in catalogue().probes
        assert relation.consequence


def test_a_healthy_node_contradicts_itself_in_nothing() -> None:
    claims = world().get(Claims)
    assert [found for relation in RELATIONS for found in contradictions(claims, relation.probe)] == []


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: f"{r.claim} against {r.against}")
def test_what_is_not_known_contradicts_nothing(relation: relations.Relation) -> None:
    alone = Claims((Claim(relation.claim, "10.0.0.1", "somebody"),))
    assert list(contradictions(alone, relation.probe)) == []


@pytest.mark.parametrize(
    ("domain", "zones", "contradicts"),
    [
        ("cluster.local", ("clouster.local",), True),
        ("cluster.local", ("clouster.local", "cluster.local"), False),
        ("Cluster.Local.", ("cluster.local",), False),
        ("dev.corp.example", ("corp.example",), False),
        ("notcorp.example", ("corp.example",), True),
        ("cluster.local", (".",), False),
    ],
)
def test_domains(domain: str, zones: tuple[str, ...], contradicts: bool) -> None:
    assert relations.of_none_of_the_zones(domain, zones) is contradicts


def test_only_the_networks_that_hold_an_address_contradict_it() -> None:
    first, second = (Claim(About.POD_RANGE, network, "conflist") for network in ("10.244.0.0/16", "fd00::/64"))
    resolver = Claim(About.RESOLVER, "10.244.9.9", "Corefile")
    (found,) = contradictions(Claims((first, second, resolver)), "pod-network-overlaps")
    assert found.against == (first,)


def test_both_sides_are_evidence() -> None:
    mine, theirs = Claim(About.SEARCHED_DOMAIN, "a.local", "pod"), Claim(About.DNS_ZONE, "b.local", "Corefile")
    (found,) = contradictions(Claims((mine, theirs)), "cluster-domain-mismatch")
    assert [(e.observed, e.expected) for e in found.evidence()] == [
        ("a.local", "b.local"),
        ("b.local", "one that fits a.local"),
    ]


def test_what_is_of_another_family_contradicts_nothing() -> None:
    assert not relations.overlaps_none_of("fd00::/64", ("10.244.0.0/16",))
    assert relations.overlaps_none_of("fd00::/64", ("10.244.0.0/16", "fd01::/64"))
    assert not relations.in_none_of("fd00::5", ("10.244.0.0/16",))
    assert not relations.of_no_machine("fd00::5", ("192.0.2.10",))
    assert not relations.within_one_of("not an address", ("10.244.0.0/16", "nor a network"))
