"""What the domains that pods search beside the cluster's make of an outside name, before it is looked up itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.facts.traffic.names import uncached_name
from netdoctor.facts.traffic.vantage import VantagePoint, VantagePoints
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns

SECONDS = 1.5
MOST = 4  # domains that are asked in


@dataclass(frozen=True, slots=True)
class SearchedName:
    """An outside name that nobody has, as a search domain makes it, and what a pod's nameserver says."""

    vantage: str
    server: str
    domain: str
    name: str
    reply: Reply

    @property
    def exists(self) -> bool:
        """Whether the domain has an address for a name that nobody has made."""
        return self.reply.answer is Answer.OK and bool(self.reply.detail)


@dataclass(frozen=True, slots=True)
class SearchedNames:
    """answers for names that search domains make"""

    items: tuple[SearchedName, ...]

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, points: VantagePoints) -> SearchedNames:
        """Ask from the first pod that searches domains beside the cluster's, for a name in each of them."""
        of_points = [list(_wanted(point)) for point in points.pods]
        wanted = next(filter(None, of_points), [])
        replies = ask_all([(point.netns, _query(point.nameservers[0], name)) for point, _, name in wanted], SECONDS)
        return cls(
            tuple(
                SearchedName(point.name, point.nameservers[0], domain, name, reply)
                for (point, domain, name), reply in zip(wanted, replies, strict=True)
            )
        )


def _wanted(point: VantagePoint) -> Iterator[tuple[VantagePoint, str, str]]:
    """A name in each domain that is not the cluster's; nothing of a pod that does not ask the cluster DNS."""
    if not point.nameservers or point.is_coredns or not any(domain.startswith("svc.") for domain in point.search):
        return
    cluster = point.cluster_domain
    others = [domain for domain in point.search if domain != cluster and not domain.endswith(f".{cluster}")]
    for domain in others[:MOST]:
        yield point, domain, f"{uncached_name()}.{domain.rstrip('.')}."


def _query(server: str, name: str) -> Callable[[], Reply]:
    return lambda: ask_dns(server, name, SECONDS)
