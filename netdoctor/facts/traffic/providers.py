"""The providers that the modules' configs name: whether a pod resolves them, and gets a TCP connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.traffic.names import OUTSIDE_SECONDS, cluster_dns_address
from netdoctor.facts.traffic.vantage import NEW, VantagePoint, VantagePoints
from netdoctor.system.foreign_text import is_address
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns, ask_tcp

CONNECT_SECONDS = 2.5  # a SYN that is lost is sent again after 1 s; providers may be far away
ADDRESSES = 4  # of one name so many are tried


@dataclass(frozen=True, slots=True)
class Provider:
    """One host and port that modules call, as a pod meets it."""

    name: str  # host:port
    modules: tuple[str, ...]
    vantage: str
    server: str  # the resolver that was asked
    lookup: Reply | None  # None: the host is an address
    address: str  # that answered, else the first that was tried; "" where the name gave none
    connection: Reply | None  # None: there was no address to try

    @property
    def host(self) -> str:
        """Without the port."""
        return self.name.rpartition(":")[0]

    @property
    def resolved(self) -> bool:
        """Whether there is an address."""
        return bool(self.address)

    @property
    def reached(self) -> bool:
        """Whether a connection was accepted."""
        return self.connection is not None and self.connection.answer is Answer.OK


@dataclass(frozen=True, slots=True)
class Providers:
    """the modules' providers"""

    items: tuple[Provider, ...]

    @classmethod
    def collect(cls, modules: Modules, points: VantagePoints, services: Services | CannotRead) -> Providers:
        """Resolve every name, then connect, from the test pod (where there is none, from an older pod)."""
        wanted = modules.providers
        if not wanted:
            return cls(())
        point = asker(points)
        server = cluster_dns_address(points, None if isinstance(services, CannotRead) else services)
        lookups = _resolve(wanted, point, server)
        answers = _connect(wanted, lookups, point)
        found = []
        for name, users in wanted.items():
            address, connection = answers.get(name, ("", None))
            found.append(Provider(name, users, point.name, server, lookups.get(name), address, connection))
        return cls(tuple(found))


def _resolve(names: Iterable[str], point: VantagePoint, server: str) -> dict[str, Reply]:
    """The lookup of each host: the first that found something, else the first; none for a host that is an address."""
    questions = [(name, spelling) for name in names for spelling in spellings(name.rpartition(":")[0], point)]
    replies = ask_all([(point.netns, _question(server, spelling)) for _, spelling in questions], OUTSIDE_SECONDS)
    lookups: dict[str, Reply] = {}
    for (name, _), reply in zip(questions, replies, strict=True):
        if name not in lookups or (not found_in(lookups[name]) and found_in(reply)):
            lookups[name] = reply
    return lookups


def _connect(names: Iterable[str], lookups: Mapping[str, Reply], point: VantagePoint) -> dict[str, tuple[str, Reply]]:
    """The connection to each host:port, with its address: the first that was accepted, else the first."""
    tries = []
    for name in names:
        host, _, port = name.rpartition(":")
        addresses = found_in(lookups[name]) if name in lookups else (host,)
        tries += [(name, address, int(port)) for address in addresses]
    replies = ask_all([(point.netns, _connection(address, port)) for _, address, port in tries], CONNECT_SECONDS)
    best: dict[str, tuple[str, Reply]] = {}
    for (name, address, _), reply in zip(tries, replies, strict=True):
        if name not in best or (best[name][1].answer is not Answer.OK and reply.answer is Answer.OK):
            best[name] = address, reply
    return best


def asker(points: VantagePoints) -> VantagePoint:
    """The test pod, else an older pod that is not CoreDNS. Raises CannotRead."""
    pods = sorted((p for p in points.pods if not p.is_coredns), key=lambda p: p.kind != NEW)
    if not pods:
        raise CannotRead("providers", f"there is no pod to ask from: {points.no_new_pod}")
    return pods[0]


def spellings(host: str, point: VantagePoint) -> tuple[str, ...]:
    """What a resolver in the pod would ask for, the full name first; none for an address."""
    if ":" in host or is_address(host):
        return ()
    if host.endswith("."):
        return (host,)
    return (f"{host}.", *(f"{host}.{domain.rstrip('.')}." for domain in point.search))


def found_in(reply: Reply) -> tuple[str, ...]:
    """The addresses in an answer."""
    return tuple(reply.detail.split(", "))[:ADDRESSES] if reply.answer is Answer.OK and reply.detail else ()


def _question(server: str, name: str) -> Callable[[], Reply]:
    return lambda: ask_dns(server, name, OUTSIDE_SECONDS)


def _connection(address: str, port: int) -> Callable[[], Reply]:
    return lambda: ask_tcp(address, port, CONNECT_SECONDS)
