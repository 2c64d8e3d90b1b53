"""What the cluster's parts say of the same thing: which addresses are pods', which domain is the cluster's.

Each part is configured on its own, and nothing in Kubernetes holds one against the other. `relations` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.traffic.vantage import VantagePoints


class About(StrEnum):
    """What a claim is about, in the words of evidence."""

    DNS_ZONE = "cluster domain of CoreDNS"
    SEARCHED_DOMAIN = "cluster domain of a pod"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one part of the cluster says."""

    about: About
    value: str  # an address, a network or a name
    source: str  # who says it, as evidence names it


@dataclass(frozen=True, slots=True)
class Claims:
    """what the cluster's parts say of addresses and names"""

    derived: ClassVar[bool] = True
    items: tuple[Claim, ...]

    @classmethod
    def collect(cls, corefile: Corefile | CannotRead, points: VantagePoints | CannotRead) -> Claims:
        """Everything that could be read; what could not says nothing."""
        found: list[Claim] = []
        if not isinstance(corefile, CannotRead):
            found += _of(About.DNS_ZONE, corefile.zones, "plugin kubernetes of the Corefile")
        if not isinstance(points, CannotRead):
            found += _searched(points)
        return cls(tuple(found))

    def of(self, about: About) -> tuple[Claim, ...]:
        """Those about one thing."""
        return tuple(claim for claim in self.items if claim.about is about)


def _of(about: About, values: Iterable[str], source: str) -> list[Claim]:
    return [Claim(about, value, source) for value in values]


def _searched(points: VantagePoints) -> Iterator[Claim]:
    """The cluster's domain, from the search list of each pod that asks the cluster DNS."""
    for point in points.pods:
        if not point.is_coredns and any(domain.startswith("svc.") for domain in point.search):
            yield Claim(About.SEARCHED_DOMAIN, point.cluster_domain, point.name)
