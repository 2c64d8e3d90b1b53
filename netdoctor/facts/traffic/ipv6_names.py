"""What pods get from the cluster DNS for IPv6 addresses (AAAA), beside the same question for IPv4 addresses (A).

Programs ask for both at once, in a cluster without IPv6 too, and wait for both answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.traffic.names import (
    OUTSIDE_NAME,
    SECONDS,
    SERVICE_NAME,
    cluster_dns_address,
    uncached_name,
)
from netdoctor.facts.traffic.vantage import VantagePoint, VantagePoints
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns

ASKING = 2  # pods
GOOD = (Answer.OK, Answer.NXDOMAIN)
BAD = (Answer.SERVFAIL, Answer.NXDOMAIN, Answer.DNS_REFUSED)


@dataclass(frozen=True, slots=True)
class BothLookups:
    """One name, and the replies to both questions."""

    vantage: str
    kind: str  # SERVICE_NAME or OUTSIDE_NAME
    server: str
    name: str
    a: Reply
    aaaa: Reply

    @property
    def is_silent(self) -> bool:
        """Whether no answer came for IPv6 addresses: CoreDNS waits two seconds for an upstream before it says so."""
        return self.aaaa.answer is Answer.TIMEOUT

    @property
    def differs(self) -> bool:
        """Whether the name is told of, and the question for IPv6 addresses fails; no address is an answer.

        Of an outside name only silence counts: what its own servers say of it is their affair.
        """
        if self.a.answer not in GOOD or self.a.answer is self.aaaa.answer:
            return False
        return self.is_silent or (self.kind == SERVICE_NAME and self.aaaa.answer in BAD)


@dataclass(frozen=True, slots=True)
class Ipv6Names:
    """answers to queries for IPv6 addresses"""

    added_later: ClassVar[bool] = True

    lookups: tuple[BothLookups, ...]

    @classmethod
    def collect(cls, points: VantagePoints, services: Services | CannotRead) -> Ipv6Names:
        """Ask for a Service's name and an outside one from two pods; what differs once more. Raises CannotRead."""
        server = cluster_dns_address(points, None if isinstance(services, CannotRead) else services)
        asked = list(_names(points))
        ipv4 = [(point.netns, _ask(server, name, "A")) for point, _, name in asked]
        ipv6 = [(point.netns, _ask(server, name, "AAAA")) for point, _, name in asked]
        replies = ask_all([*ipv4, *ipv6], SECONDS)
        found = [
            BothLookups(point.name, kind, server, name, a, aaaa)
            for (point, kind, name), a, aaaa in zip(asked, replies, replies[len(asked) :], strict=False)
        ]
        again = [place for place, each in enumerate(found) if each.differs]
        for place, reply in zip(again, ask_all([ipv6[place] for place in again], SECONDS), strict=True):
            found[place] = replace(found[place], aaaa=reply)
        return cls(tuple(found))

    def failing(self, kind: str) -> tuple[BothLookups, ...]:
        """Those of one kind, where the question for IPv6 addresses fails for every pod that asked."""
        of_kind = tuple(each for each in self.lookups if each.kind == kind)
        return of_kind if all(each.differs for each in of_kind) else ()


def _names(points: VantagePoints) -> Iterator[tuple[VantagePoint, str, str]]:
    """Who asks for what."""
    for point in [point for point in points.pods if not point.is_coredns][:ASKING]:
        yield point, SERVICE_NAME, f"kubernetes.default.svc.{point.cluster_domain}."
        yield point, OUTSIDE_NAME, uncached_name()


def _ask(server: str, name: str, record: str) -> Callable[[], Reply]:
    return lambda: ask_dns(server, name, SECONDS, record=record)
