"""Which claims of the cluster's parts contradict each other, and what comes of it: one table.

A relation holds each claim about one thing against all claims about another. Where nothing is known of the other thing,
nothing contradicts. Many nodes work with a contradiction: the probe that a row names judges whether it is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from netdoctor.facts.traffic.claims import About, Claim, Claims
from netdoctor.model import Evidence
from netdoctor.system.foreign_text import Network, to_network
from netdoctor.values import Values

Contradicts = Callable[[str, tuple[str, ...]], bool]


def of_none_of_the_zones(domain: str, zones: tuple[str, ...]) -> bool:
    """Whether a domain lies in none of these zones."""
    plain = domain.lower().rstrip(".")
    return not any(zone in (".", plain) or plain.endswith(f".{zone}") for zone in zones)


def within_one_of(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of these networks."""
    known = _networks((address,))
    return any(inside.subnet_of(network) for inside in known for network in _networks(networks, like=inside))


def _networks(texts: Iterable[str], like: Network | None = None) -> list[Any]:
    """Those that are networks or addresses, and `like`: of this one's family; a recording may hold anything."""
    found = []
    for text in texts:
        try:
            network = to_network(text)
        except ValueError:
            continue
        if like is None or network.version == like.version:
            found.append(network)
    return found


def in_none_of(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies in none of the networks of its family, of which there are some."""
    return any(
        _networks(networks, like=inside) and not within_one_of(address, networks) for inside in _networks((address,))
    )


def of_no_machine(address: str, known: tuple[str, ...]) -> bool:
    """Whether an address of IPv4, of which all local ones are known, is not one of these."""
    return ":" not in address and address not in known


def none_of(value: str, others: tuple[str, ...]) -> bool:
    """Whether it differs from all the others."""
    return value not in others


def overlaps_none_of(network: str, others: tuple[str, ...]) -> bool:
    """Whether a network has no address in common with those of its family, of which there are some."""
    for mine in _networks((network,)):
        alike = _networks(others, like=mine)
        if alike and not any(mine.overlaps(other) for other in alike):
            return True
    return False


def overlaps_one_of(network: str, others: tuple[str, ...]) -> bool:
    """Whether a network has an address in common with one of the others."""
    return any(mine.overlaps(other) for mine in _networks((network,)) for other in _networks(others, like=mine))


def one_of(value: str, others: tuple[str, ...]) -> bool:
    """Whether it is one of the others."""
    return value in others


@dataclass(frozen=True, slots=True)
class Relation:
    """A row of the table."""

    probe: str  # which judges it
    claim: About
    against: About
    contradicts: Contradicts
    consequence: str  # in words, after the values
    expected: str = "{}"  # of the claim, around the others' values


OUTSIDE_OF = "an address outside of {}"
RELATIONS = (
    Relation(
        "cluster-domain-mismatch", About.SEARCHED_DOMAIN, About.DNS_ZONE, of_none_of_the_zones,
        "no Service's name resolves in pods that search it",
    ),
    Relation(
        "pod-network-overlaps", About.RESOLVER, About.POD_RANGE, within_one_of,
        "packets to it stay on the pod network and never reach it", OUTSIDE_OF,
    ),
    Relation(
        "pod-network-overlaps", About.RESOLVER, About.SERVICE_ADDRESS, one_of,
        "packets to it are sent to that Service's pods", "an address other than {}",
    ),
    Relation(
        "pod-network-overlaps", About.GATEWAY, About.POD_RANGE, within_one_of,
        "packets to the gateway stay on the pod network", OUTSIDE_OF,
    ),
    Relation(
        "pod-network-overlaps", About.NODE_ADDRESS, About.POD_RANGE, within_one_of,
        "packets of pods to that node stay on the pod network", OUTSIDE_OF,
    ),
    Relation(
        "pods-on-two-networks", About.OWN_POD_ADDRESS, About.CNI_RANGE, in_none_of,
        "routes, masquerade and NetworkPolicies that are made for one network do not reach the other", "one in {}",
    ),
    Relation(
        "pods-on-two-networks", About.OWN_POD_BRIDGE, About.CNI_BRIDGE, none_of,
        "pods on one bridge look for those on the other on their own",
    ),
    Relation(
        "node-address-gone", About.ADVERTISED, About.MACHINE_ADDRESS, of_no_machine,
        "kubeconfigs, kubelet and pods look for the API server where nobody is", "one of {}",
    ),
    Relation(
        "node-address-gone", About.API_ENDPOINT, About.MACHINE_ADDRESS, of_no_machine,
        "pods that are led there get no answer from the API server", "one of {}",
    ),
    Relation(
        "node-address-gone", About.OWN_NODE_ADDRESS, About.LOCAL_ADDRESS, of_no_machine,
        "the API server does not reach this kubelet, and other nodes do not reach this node's pods", "one of {}",
    ),
    Relation(
        "node-address-gone", About.OWN_NODE_ADDRESS, About.OTHER_NODE_ADDRESS, one_of,
        "the API server and other nodes reach one of the two at most", "an address of its own",
    ),
    Relation(
        "pod-ranges-disagree", About.CNI_RANGE, About.NODE_RANGE, overlaps_none_of,
        "other nodes route the podCIDR to this node, and no new pod has an address in it", "one that overlaps with {}",
    ),
    Relation(
        "pod-ranges-disagree", About.PROXY_RANGE, About.OWN_POD_ADDRESS, overlaps_none_of,
        "connections of pods to Services are masqueraded as if they came from outside, so servers and "
        "NetworkPolicies see the node's address", "one that holds {}",
    ),
    Relation(
        "service-ranges-disagree", About.SERVICE_ADDRESS, About.SERVICE_RANGE, in_none_of,
        "the API server was given another network after that Service was made; once it is made again, it has another "
        "address, and certificates, the kubelet and pods have the old one", "one in {}",
    ),
    Relation(
        "service-ranges-disagree", About.POD_RANGE, About.SERVICE_RANGE, overlaps_one_of,
        "a pod can get the address of a Service, whose packets then never reach it", "a network apart from {}",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A claim, the claims that it contradicts, and what comes of it."""

    claim: Claim
    against: tuple[Claim, ...]
    relation: Relation

    @property
    def consequence(self) -> str:
        """What comes of it, in words."""
        return self.relation.consequence

    def evidence(self) -> tuple[Evidence, ...]:
        """The claim, and who contradicts it."""
        expected = self.relation.expected.format(" or ".join(dict.fromkeys(other.value for other in self.against)))
        data = Values(value=self.claim.value, expected=expected)
        mine = Evidence(f"{self.claim.about}, {self.claim.source}", self.claim.value, expected, data)
        others = [
            Evidence(f"{other.about}, {other.source}", other.value, f"one that fits {self.claim.value}")
            for other in self.against
        ]
        return (mine, *dict.fromkeys(others))


def contradictions(claims: Claims, probe: str) -> Iterator[Contradiction]:
    """Those that a probe judges, in the order of the table."""
    for relation in RELATIONS:
        against = claims.of(relation.against)
        if relation.probe != probe or not against:
            continue
        for claim in claims.of(relation.claim):
            if found := _contradicted(relation, claim, against):
                yield Contradiction(claim, found, relation)


def _contradicted(relation: Relation, claim: Claim, against: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The claims that one contradicts: those that do so alone, or all where only all of them together do."""
    if not relation.contradicts(claim.value, tuple(other.value for other in against)):
        return ()
    alone = tuple(other for other in against if relation.contradicts(claim.value, (other.value,)))
    return alone or against
