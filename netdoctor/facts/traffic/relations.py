"""Which claims of the cluster's parts contradict each other, and what comes of it: one table.

A relation holds each claim about one thing against all claims about another. Where nothing is known of the other thing,
nothing contradicts. Many nodes work with a contradiction: the probe that a row names judges whether it is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netdoctor.facts.traffic.claims import About, Claim, Claims
from netdoctor.model import Evidence

Contradicts = Callable[[str, tuple[str, ...]], bool]


def of_none_of_the_zones(domain: str, zones: tuple[str, ...]) -> bool:
    """Whether a domain lies in none of these zones."""
    plain = domain.lower().rstrip(".")
    return not any(zone in (".", plain) or plain.endswith(f".{zone}") for zone in zones)


@dataclass(frozen=True, slots=True)
class Relation:
    """A row of the table."""

    probe: str  # which judges it
    claim: About
    against: About
    contradicts: Contradicts
    consequence: str  # in words, after the values


RELATIONS = (
    Relation(
        "cluster-domain-mismatch", About.SEARCHED_DOMAIN, About.DNS_ZONE, of_none_of_the_zones,
        "no Service's name resolves in pods that search it",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A claim, the claims that it contradicts, and what comes of it."""

    claim: Claim
    against: tuple[Claim, ...]
    consequence: str

    def evidence(self) -> tuple[Evidence, ...]:
        """Both sides."""
        expected = " or ".join(dict.fromkeys(other.value for other in self.against))
        mine = Evidence(f"{self.claim.about}, {self.claim.source}", self.claim.value, expected)
        others = [Evidence(f"{each.about}, {each.source}", each.value, self.claim.value) for each in self.against]
        return (mine, *dict.fromkeys(others))


def contradictions(claims: Claims, probe: str) -> Iterator[Contradiction]:
    """Those that a probe judges, in the order of the table."""
    for relation in RELATIONS:
        against = claims.of(relation.against)
        if relation.probe != probe or not against:
            continue
        values = tuple(claim.value for claim in against)
        for claim in claims.of(relation.claim):
            if relation.contradicts(claim.value, values):
                yield Contradiction(claim, against, relation.consequence)
