"""Postgres as the modules meet it: its name, a TCP connection, TLS, a login, a SELECT; each failure kept apart.

Where to log in comes from, in this order: the variables of the gateway modules, the environment variable
NETDOCTOR_DATABASE_URL, a DATABASE_URL in the environment of a pod, the POSTGRES_* variables of the pods behind the
Service. It is used and forgotten: no fact, report or error text holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.gateways.database_login import DatabaseLogins, Login
from netdoctor.facts.gateways.postgres_servers import PostgresServer, PostgresServers
from netdoctor.facts.gateways.postgres_session import LOGIN, SECONDS, SELECT, TLS, Session, Slots, run_all
from netdoctor.facts.traffic.names import cluster_dns_address
from netdoctor.facts.traffic.vantage import NEW, OLD, VantagePoint, VantagePoints
from netdoctor.model import Evidence, Finding, NotApplicable, Subject
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns, ask_tcp

NAME, TCP = "name", "TCP"
STAGES = (NAME, TCP, TLS, LOGIN, SELECT)


@dataclass(frozen=True, slots=True)
class PostgresStage:
    """One step on the way to an answer, from one vantage point."""

    service: str  # namespace/name, or the host's name
    vantage: str
    stage: str
    ok: bool
    observed: str
    sqlstate: str = ""
    address: str = ""  # what was connected to, for TCP
    port: int = 0
    database: str = ""  # for the login and what follows
    modules: tuple[str, ...] = ()
    reply: Reply | None = None  # of the TCP connection


@dataclass(frozen=True, slots=True)
class Postgres:
    """Postgres"""

    services: tuple[str, ...]
    stages: tuple[PostgresStage, ...]
    login_source: str  # where the login came from, or why there is none
    slots: tuple[Slots, ...] = ()
    later: tuple[str, ...] = ()  # Services that the deployment brings
    unasked: tuple[str, ...] = ()  # modules whose password is not known
    withheld: tuple[str, ...] = ()  # why a password was not sent, in sentences

    longest: ClassVar[float] = 12.0  # seconds: names and connections, then the logins

    @classmethod
    def collect(
        cls,
        points: VantagePoints,
        services: Services,
        servers: PostgresServers,
        logins: DatabaseLogins | CannotRead,
    ) -> Postgres:
        """Go as far as possible from the test pod and from pods that are clients, at each server."""
        known = logins.at if not isinstance(logins, CannotRead) else {}
        reason = str(logins) if isinstance(logins, CannotRead) else logins.source
        stages: list[PostgresStage] = []
        slots: list[Slots] = []
        unasked: list[str] = []
        withheld = list(logins.withheld) if not isinstance(logins, CannotRead) else []
        for server in servers.items:
            meant = known.get(server.name, ())
            stages += _reach(points, services, server)
            talking = [s.vantage for s in stages if s.service == server.name and s.stage == TCP and s.ok]
            stages += _talk(server, stages, points, talking[:2], meant, slots, withheld)
            unasked += [m for m in server.modules if not any(m in login.modules for login in meant)]
        names = tuple(server.name for server in servers.items)
        return cls(
            names, tuple(stages), reason, tuple(slots), servers.later, tuple(unasked), tuple(dict.fromkeys(withheld))
        )

    def of(self, stage: str) -> tuple[PostgresStage, ...]:
        """What became of this step, from each vantage point that got so far."""
        return tuple(s for s in self.stages if s.stage == stage)

    def findings(self, stage: str, node: str, words: str, *, expected: str) -> Iterator[Finding]:
        """One finding for each server at which this step failed. Raises NotApplicable, CannotRead."""
        if not self.services and self.later:
            raise NotApplicable(f"Service {', '.join(self.later)} comes with the deployment")
        if not self.services:
            raise NotApplicable("the cluster has no Service for Postgres")
        steps = self.of(stage)
        if not steps and stage in (LOGIN, SELECT):
            raise CannotRead("Postgres", "; ".join(self.withheld) or self.login_source)
        if not steps:
            raise CannotRead("Postgres", "no pod could ask it")
        healthy = True
        for service in self.services:
            asked = [s for s in steps if s.service == service]
            failed = [s for s in asked if not s.ok]
            for state in dict.fromkeys(s.sqlstate for s in failed):
                healthy = False
                alike = [s for s in failed if s.sqlstate == state]
                yield _finding(words, service, asked, alike, node, expected)
        if healthy and self.withheld and stage in (LOGIN, SELECT):
            raise CannotRead("database login", "; ".join(self.withheld))
        if healthy and self.unasked and stage == LOGIN:
            raise CannotRead("database login", f"the password of {', '.join(self.unasked)} is not known")


def _finding(
    words: str, service: str, asked: list[PostgresStage], failed: list[PostgresStage], node: str, expected: str
) -> Finding:
    namespace, _, name = service.rpartition("/")
    first = failed[0]
    state = f" (SQLSTATE {first.sqlstate})" if first.sqlstate else ""
    modules = dict.fromkeys(m for s in failed for m in s.modules)
    said = dict.fromkeys(s.observed for s in failed) if modules else {first.observed: None}
    pods = f"from {len({s.vantage for s in failed})} of {len({s.vantage for s in asked})} pods"
    who = f"for {', '.join(modules)}" if modules else pods
    return Finding(
        f"{words}: {service}, {who}: {'; '.join(list(said)[:5])}{state}",
        tuple(Evidence(f"{s.vantage} -> {service}{_in(s)}, {s.stage}", s.observed, expected) for s in failed[:5]),
        Subject(node=node, namespace=namespace, service=name),
    )


def _in(stage: PostgresStage) -> str:
    return f" database {stage.database}" if stage.database else ""


def clients(points: VantagePoints) -> list[VantagePoint]:
    """The test pod and at most three older pods; not CoreDNS, not Postgres itself."""
    old = [p for p in points.pods if p.kind == OLD and not p.is_coredns and not p.pod.startswith("postgres")]
    return [p for p in points.pods if p.kind == NEW] + old[:3]


def _reach(points: VantagePoints, services: Services, server: PostgresServer) -> list[PostgresStage]:
    """Its name and a TCP connection, from every client; both at once where its address is known beforehand."""
    dns, walks = cluster_dns_address(points, services), clients(points)
    names = ["" if server.name == server.address else server.host(p.cluster_domain) for p in walks]
    lookups = [(p.netns, _question(dns, name)) for p, name in zip(walks, names, strict=True) if name]
    connections = [(p.netns, _connection(server.address, server.port)) for p in walks if server.address]
    replies = ask_all([*lookups, *connections], SECONDS)
    found = dict(zip([p.name for p, name in zip(walks, names, strict=True) if name], replies, strict=False))
    reached = dict(zip([p.name for p in walks], replies[len(lookups) :], strict=False))
    addresses = {p.name: server.address for p in walks}
    if not server.address:
        addresses = {name: r.detail.split(", ")[0] for name, r in found.items() if r.answer is Answer.OK and r.detail}
        again = [p for p in walks if p.name in addresses]
        asked = ask_all([(p.netns, _connection(addresses[p.name], server.port)) for p in again], SECONDS)
        reached = {p.name: reply for p, reply in zip(again, asked, strict=True)}
    stages = []
    for point, name in zip(walks, names, strict=True):
        if reply := found.get(point.name):
            right = reply.answer is Answer.OK and bool(reply.detail) and server.address in reply.detail
            stages.append(PostgresStage(server.name, point.name, NAME, right, f"{name} {reply}"))
        if reply := reached.get(point.name):
            accepted, address = reply.answer is Answer.OK, addresses[point.name]
            stages.append(
                PostgresStage(
                    server.name, point.name, TCP, accepted, str(reply), address=address, port=server.port, reply=reply
                )
            )
    return stages


def _question(server: str, name: str) -> Callable[[], Reply]:
    return lambda: ask_dns(server, name, SECONDS)


def _connection(address: str, port: int) -> Callable[[], Reply]:
    return lambda: ask_tcp(address, port, SECONDS)


def _talk(
    server: PostgresServer,
    stages: list[PostgresStage],
    points: VantagePoints,
    talking: list[str],
    logins: tuple[Login, ...],
    slots: list[Slots],
    withheld: list[str],
) -> list[PostgresStage]:
    """TLS, and from the first of these vantage points (for others than modules: from each) the logins."""
    addresses = {s.vantage: s.address for s in stages if s.service == server.name and s.stage == TCP}
    sessions = []
    for place, vantage in enumerate(talking):
        known = logins if place == 0 or not server.modules else ()
        sessions.append(Session(server, addresses[vantage], known, points.named(vantage).netns))
    try:
        run_all(sessions)
    except BadInput as error:
        raise CannotRead("database login", str(error)) from error
    found = []
    for vantage, session in zip(talking, sessions, strict=True):
        for step in session.steps:
            found.append(
                PostgresStage(
                    server.name, vantage, step.stage, step.ok, step.observed, step.sqlstate,
                    database=step.login.database if step.login else "",
                    modules=step.login.modules if step.login else (),
                )
            )  # fmt: skip
        if session.withheld:
            withheld.append(session.withheld)
        if session.slots and not any(s.service == server.name for s in slots):
            slots.append(session.slots)
    return found
