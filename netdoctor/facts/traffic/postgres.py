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
from netdoctor.facts.gateways.postgres_session import LOGIN, SECONDS, SELECT, TLS, Session, SessionStep, Slots, run_all
from netdoctor.facts.traffic.forbidden import Forbidden
from netdoctor.facts.traffic.names import cluster_dns_address
from netdoctor.facts.traffic.vantage import NEW, OLD, VantagePoint, VantagePoints, pod_of
from netdoctor.model import Confidence, Evidence, Finding, NotApplicable, Subject
from netdoctor.shell import command
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns, ask_tcp
from netdoctor.values import Values

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
        forbidden: Forbidden,
    ) -> Postgres:
        """Go as far as possible from the test pod and from pods that are clients, at each server."""
        readable = None if isinstance(logins, CannotRead) else logins
        stages: list[PostgresStage] = []
        slots: list[Slots] = []
        unasked: list[str] = []
        withheld = list(readable.withheld) if readable else []
        for server in servers.items:
            meant = readable.at.get(server.name, ()) if readable else ()
            reached = forbidden.without_intended(_reach(points, services, server), points)
            stages += reached
            said = _talk(server, reached, points, meant)
            stages += said.stages
            slots += said.slots
            withheld += said.withheld
            unasked += _without_login(server, meant)
        return cls(
            services=tuple(server.name for server in servers.items),
            stages=tuple(stages),
            login_source=readable.source if readable else str(logins),
            slots=tuple(slots),
            later=servers.later,
            unasked=tuple(unasked),
            withheld=tuple(dict.fromkeys(withheld)),
        )

    def of(self, stage: str) -> tuple[PostgresStage, ...]:
        """What became of this step, from each vantage point that got so far."""
        return tuple(s for s in self.stages if s.stage == stage)

    def findings(self, stage: str, node: str, words: str, *, expected: str) -> Iterator[Finding]:
        """One finding for each server at which this step failed. Raises NotApplicable, CannotRead."""
        self._require_server()
        steps = self.of(stage)
        if not steps:
            raise self._nobody_asked(stage)
        healthy = True
        for service in self.services:
            asked = [s for s in steps if s.service == service]
            for finding in _findings(words, service, asked, node, expected):
                healthy = False
                yield finding
        if healthy:
            self._require_all_asked(stage)

    def _require_server(self) -> None:
        """Raises NotApplicable where there is no Postgres yet."""
        if self.services:
            return
        if self.later:
            raise NotApplicable(f"Service {', '.join(self.later)} comes with the deployment")
        raise NotApplicable("the cluster has no Service for Postgres")

    def _nobody_asked(self, stage: str) -> CannotRead:
        """Why this step was tried from nowhere."""
        if stage in (LOGIN, SELECT):
            return CannotRead("Postgres", "; ".join(self.withheld) or self.login_source)
        return CannotRead("Postgres", "no pod could ask it")

    def _require_all_asked(self, stage: str) -> None:
        """Raises CannotRead where a login was not tried, so that nothing found does not mean that all is well."""
        if self.withheld and stage in (LOGIN, SELECT):
            raise CannotRead("database login", "; ".join(self.withheld))
        if self.unasked and stage == LOGIN:
            raise CannotRead("database login", f"the password of {', '.join(self.unasked)} is not known")


def _without_login(server: PostgresServer, logins: tuple[Login, ...]) -> list[str]:
    """The modules of a server that none of these logins is for."""
    known = {module for login in logins for module in login.modules}
    return [module for module in server.modules if module not in known]


def _findings(words: str, service: str, asked: list[PostgresStage], node: str, expected: str) -> Iterator[Finding]:
    """One finding for each SQLSTATE with which a step failed at a server."""
    failed = [s for s in asked if not s.ok]
    for state in dict.fromkeys(s.sqlstate for s in failed):
        alike = [s for s in failed if s.sqlstate == state]
        yield _finding(words, service, asked, alike, node, expected)


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
        tuple(_evidence(step, expected) for step in failed[:5]),
        Subject(node=node, namespace=namespace, service=name),
        confidence=Confidence.CONFIRMED,
        by_hand=command("kubectl -n {} logs service/{} --tail=50", namespace, name),  # the server says there why
    )


def _evidence(step: PostgresStage, expected: str) -> Evidence:
    pod, port, answer = pod_of(step.vantage), step.port or None, str(step.reply.answer) if step.reply else ""
    data = Values(pod=pod, service=step.service, address=step.address, port=port, answer=answer)
    database = f" database {step.database}" if step.database else ""
    return Evidence(f"{step.vantage} -> {step.service}{database}, {step.stage}", step.observed, expected, data)


def clients(points: VantagePoints) -> list[VantagePoint]:
    """The test pod and at most three older pods; not CoreDNS, not Postgres itself."""
    old = [p for p in points.pods if p.kind == OLD and not p.is_coredns and not p.pod.startswith("postgres")]
    return [p for p in points.pods if p.kind == NEW] + old[:3]


def _reach(points: VantagePoints, services: Services, server: PostgresServer) -> list[PostgresStage]:
    """Its name and a TCP connection, from every client; both at once where its address is known beforehand."""
    walks = clients(points)
    names = _names(server, walks)
    looking = [p for p in walks if p.name in names]
    dns = cluster_dns_address(points, services)
    lookups = [(p.netns, _question(dns, names[p.name])) for p in looking]
    if server.address:
        connecting, addresses = walks, {p.name: server.address for p in walks}
        replies = ask_all([*lookups, *_connections(walks, addresses, server.port)], SECONDS)
        resolved, accepted = replies[: len(lookups)], replies[len(lookups) :]
    else:
        resolved = ask_all(lookups, SECONDS)
        addresses = _addresses(looking, resolved)
        connecting = [p for p in walks if p.name in addresses]
        accepted = ask_all(_connections(connecting, addresses, server.port), SECONDS)
    by_name = _by_name(looking, resolved)
    by_tcp = _by_name(connecting, accepted)
    stages = []
    for point in walks:
        if reply := by_name.get(point.name):
            stages.append(_name_stage(server, point.name, names[point.name], reply))
        if reply := by_tcp.get(point.name):
            stages.append(_tcp_stage(server, point.name, addresses[point.name], reply))
    return stages


def _names(server: PostgresServer, walks: list[VantagePoint]) -> dict[str, str]:
    """What each client asks for, by the client's name; nothing where the server is an address."""
    if server.name == server.address:
        return {}
    names = {point.name: server.host(point.cluster_domain) for point in walks}
    return {point: name for point, name in names.items() if name}


def _by_name(points: list[VantagePoint], replies: list[Reply]) -> dict[str, Reply]:
    return {point.name: reply for point, reply in zip(points, replies, strict=True)}


def _addresses(looking: list[VantagePoint], resolved: list[Reply]) -> dict[str, str]:
    """The first address that each client's lookup gave, by the client's name."""
    return {
        point.name: reply.detail.split(", ")[0]
        for point, reply in zip(looking, resolved, strict=True)
        if reply.answer is Answer.OK and reply.detail
    }


def _name_stage(server: PostgresServer, vantage: str, name: str, reply: Reply) -> PostgresStage:
    right = reply.answer is Answer.OK and bool(reply.detail) and server.address in reply.detail
    return PostgresStage(server.name, vantage, NAME, right, f"{name} {reply}")


def _tcp_stage(server: PostgresServer, vantage: str, address: str, reply: Reply) -> PostgresStage:
    accepted = reply.answer is Answer.OK
    return PostgresStage(
        server.name, vantage, TCP, accepted, str(reply), address=address, port=server.port, reply=reply
    )


def _question(server: str, name: str) -> Callable[[], Reply]:
    return lambda: ask_dns(server, name, SECONDS)


def _connection(address: str, port: int) -> Callable[[], Reply]:
    return lambda: ask_tcp(address, port, SECONDS)


def _connections(
    points: list[VantagePoint], addresses: dict[str, str], port: int
) -> list[tuple[str, Callable[[], Reply]]]:
    """A connection from each of these points to the address that belongs to it."""
    return [(p.netns, _connection(addresses[p.name], port)) for p in points]


@dataclass(frozen=True, slots=True)
class _Said:
    """What the sessions at one server came to."""

    stages: tuple[PostgresStage, ...]
    slots: tuple[Slots, ...]  # of the first session that saw them
    withheld: tuple[str, ...]


def _talk(
    server: PostgresServer, reached: list[PostgresStage], points: VantagePoints, logins: tuple[Login, ...]
) -> _Said:
    """TLS, and from the first vantage point that reached it (for others than modules: from each) the logins."""
    talking = [s for s in reached if s.stage == TCP and s.ok][:2]
    sessions = []
    for place, stage in enumerate(talking):
        known = logins if place == 0 or not server.modules else ()
        sessions.append(Session(server, stage.address, known, points.named(stage.vantage).netns))
    try:
        run_all(sessions)
    except BadInput as error:
        raise CannotRead("database login", str(error)) from error
    stages, slots, withheld = [], [], []
    for reaching, session in zip(talking, sessions, strict=True):
        stages += [_after_tcp(server, reaching.vantage, step) for step in session.steps]
        if session.slots:
            slots.append(session.slots)
        if session.withheld:
            withheld.append(session.withheld)
    return _Said(tuple(stages), tuple(slots[:1]), tuple(withheld))


def _after_tcp(server: PostgresServer, vantage: str, step: SessionStep) -> PostgresStage:
    return PostgresStage(
        server.name,
        vantage,
        step.stage,
        step.ok,
        step.observed,
        step.sqlstate,
        database=step.login.database if step.login else "",
        modules=step.login.modules if step.login else (),
    )
