"""Where packets that were not answered end: the rule that drops them, found by tracing them once more.

Nothing is traced on a node where everything is answered, and only flows that failed are. The questions are asked again
from the pods that were there before, on new ports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.facts import Finalizers
from netdoctor.facts.cni import CniConfig
from netdoctor.facts.names import ClusterDns, UpstreamAnswers, answered
from netdoctor.facts.postgres import TCP, Postgres
from netdoctor.facts.reach import NODE, POD, Reach
from netdoctor.facts.vantage import HOST, VantagePoints
from netdoctor.host import Host
from netdoctor.trace import Dropped, remove, trace
from netdoctor.traffic import Answer, Reply, ask_dns, ask_tcp, in_namespace

SECONDS = 0.15  # enough for a packet that is dropped at once
TRACED = 5  # flows, one of each kind


@dataclass(frozen=True, slots=True)
class Drop:
    """A flow that is not answered, and where its packets end."""

    flow: str
    kind: str
    dropped: Dropped
    legacy: str = ""  # the rule of legacy iptables whose counter moved meanwhile
    route: str = ""  # why routing refuses the packet, in the words of `ip route get`, "" where it does not


@dataclass(frozen=True, slots=True)
class Drops:
    """where unanswered packets end"""

    items: tuple[Drop, ...]

    @classmethod
    def collect(
        cls,
        host: Host,
        points: VantagePoints,
        reach: Reach,
        answers: UpstreamAnswers | CannotRead,
        names: ClusterDns | CannotRead,
        postgres: Postgres | CannotRead,
        cni: CniConfig,
        finalizers: Finalizers,
    ) -> Drops:
        """Trace one failed flow of each kind. Raises CannotRead where there is something to trace and no way to."""
        wanted = list(failed_flows(points, reach, answers, names, postgres))[:TRACED]
        if not wanted:
            if not reach.flows:
                raise CannotRead("nftables trace", "no pod could be asked, so no packet was lost")
            return cls(())
        if not host.is_root:
            raise CannotRead("nftables trace", "not root")
        if not Path("/proc/net/netfilter").exists():
            raise CannotRead("nftables trace", "the kernel has no netfilter tables loaded")
        finalizers.add(lambda: remove(host))  # Ctrl-C ends the thread that would take the table away
        found = []
        for flow in wanted:
            before = _legacy_counters(host)
            dropped = trace(host, flow.source, flow.destination, flow.protocol, flow.port, flow.ask)
            moved = _moved(before, _legacy_counters(host)) if not dropped.by_rule else ""
            refused = "" if dropped.by_rule or moved or not cni.bridge else _refused(host, flow, cni.bridge)
            found.append(Drop(flow.name, flow.kind, dropped, moved, refused))
        return cls(tuple(found))


@dataclass(frozen=True, slots=True)
class _Failed:
    name: str
    kind: str
    source: str
    destination: str
    protocol: str
    port: int
    ask: Callable[[], object]


def failed_flows(
    points: VantagePoints,
    reach: Reach,
    answers: UpstreamAnswers | CannotRead,
    names: ClusterDns | CannotRead,
    postgres: Postgres | CannotRead,
) -> list[_Failed]:
    """Flows of pods that were not answered, the first of each kind."""
    by_name = {p.name: p for p in points.pods}
    found: dict[str, _Failed] = {}

    def add(name: str, kind: str, vantage: str, address: str, protocol: str, port: int) -> None:
        point = by_name.get(vantage)
        if point is None or kind in found or ":" in address:
            return

        def question() -> Reply:
            if protocol == "tcp":
                return ask_tcp(address, port, SECONDS)
            return ask_dns(address, "netdoctor.example.com", SECONDS, port=port)

        def ask() -> object:
            return in_namespace(point.netns, question)

        found[kind] = _Failed(name, kind, point.address, address, protocol, port, ask)

    # a rejection tells more than silence, which may have any reason
    for flow in sorted(reach.flows, key=lambda f: f.reply.answer is not Answer.PROHIBITED):
        if not flow.reply.arrived:
            add(str(flow), flow.kind, flow.vantage, flow.address, "tcp", flow.port)
    if not isinstance(answers, CannotRead):
        alive = {(x.upstream, x.transport) for x in answers.from_host() if answered(x.reply)}
        for lookup in sorted(answers.from_pods(), key=lambda x: x.reply.answer is not Answer.PROHIBITED):
            if (lookup.upstream, lookup.transport) in alive and not answered(lookup.reply):
                upstream = lookup.upstream
                add(str(lookup), "outside", lookup.vantage, upstream.address, lookup.transport, upstream.port)
    if not isinstance(names, CannotRead):
        for question in names.lookups:
            if question.vantage != HOST and not question.reply.arrived:
                add(str(question), "cluster DNS", question.vantage, question.server, question.transport, 53)
    if not isinstance(postgres, CannotRead):
        for step in postgres.of(TCP):
            if not step.ok:
                add(f"{step.vantage} -> {step.service}", "Postgres", step.vantage, step.address, "tcp", step.port)
    return list(found.values())


def _refused(host: Host, flow: _Failed, bridge: str) -> str:
    """What the kernel's routing says to a packet of this flow that comes in from the bridge; "" if it has a route.

    A ClusterIP is no question to routing: by then it has been translated.
    """
    if flow.kind not in ("outside", POD, NODE):
        return ""
    try:
        host.run(["ip", "-4", "route", "get", flow.destination, "from", flow.source, "iif", bridge])
    except CannotRead as error:
        return error.reason.removeprefix("RTNETLINK answers: ")
    return ""


def _legacy_counters(host: Host) -> dict[str, int]:
    """Rules of legacy iptables with their packet counters; nothing is asked where the kernel has no such table."""
    if not (host.read_or_none("/proc/net/ip_tables_names") or "").split():
        return {}
    counters = {}
    table = ""
    for line in host.run(["iptables-legacy-save", "-c"]).splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("["):
            count, _, rule = line.partition("] ")
            counters[f"{table} {rule}"] = int(count[1:].partition(":")[0])
        elif line.startswith(":") and " DROP " in line:
            chain, policy, count = line[1:].split(" ")
            counters[f"{table} policy {policy} of {chain}"] = int(count[1:].partition(":")[0])
    return counters


def _moved(before: dict[str, int], after: dict[str, int]) -> str:
    """The dropping rule whose counter has grown."""
    drops = (" -j DROP", " -j REJECT", " policy DROP")
    grown = (rule for rule, count in after.items() if count > before.get(rule, count))
    return next((rule for rule in grown if any(word in rule for word in drops)), "")
