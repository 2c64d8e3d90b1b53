"""The ways of those who are on a node now, and of the sources that its rules name: no repair may close one of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.connections import SSH_PORT, Connection
from netdoctor.model import Access
from netdoctor.rehearsal.exposure import ExposedFlow, at, reachable
from netdoctor.rehearsal.named_sources import Named, sample
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.needed_ports import DNS
from netdoctor.twin.state import State
from netdoctor.twin.strangers import uplink_addresses
from netdoctor.twin.twin import NODE, OUTSIDE, Flow
from netdoctor.twin.wire import conntrack
from netdoctor.twin.wire.conntrack import Established
from netdoctor.twin.wire.rtnl import Address

MOST_LOGINS, MOST_CONNECTED, MOST_OUTBOUND = 32, 24, 16
MOST_NAMED, MOST_PORTS, MOST_OF_RULE = 32, 4, 2  # sources that rules name, and ports at which each of them asks


@dataclass
class People:
    """The ways to ask, what was sampled in words, and whom no copy can ask for."""

    ways: list[ExposedFlow] = field(default_factory=list)
    sampled: list[str] = field(default_factory=list)
    out_of_sight: list[str] = field(default_factory=list)  # logins that cannot be asked for
    others_out_of_sight: list[str] = field(default_factory=list)
    logged_in: set[ExposedFlow] = field(default_factory=set)  # whose connection is there now

    def take(self, found: Sequence[ExposedFlow], most: int, words: str) -> None:
        """The first of these ways, and how many those are."""
        kept = list(dict.fromkeys(found))
        if kept:
            self.sampled.append(f"{words}: {min(most, len(kept))}" + (f" of {len(kept)}" if len(kept) > most else ""))
        self.ways += kept[:most]


def people(
    state: State, cluster: ClusterAddresses, connections: Iterable[Connection], named: Iterable[Named]
) -> People:
    """Whose ways a rehearsal asks for."""
    found, connections = People(), list(connections)
    node = _Node(state, cluster)
    established = list(conntrack.established(state.node.conntrack))
    tracked = [each for each in established if node.is_outside(each.source)]
    logins = sorted((c for c in connections if c.login), key=lambda c: not c.you)
    _take_logins(found, node, logins, tracked)
    _take_connected(found, node, [c for c in connections if c.inbound and not c.login], tracked)
    _take_outbound(found, node, [c for c in connections if not c.inbound], established)
    ports = list(dict.fromkeys([*(c.port for c in logins), SSH_PORT]))
    _take_named(found, node, list(named), ports)
    return found


def _take_logins(found: People, node: _Node, logins: list[Connection], tracked: list[Established]) -> None:
    """The ways of logins by ssh, and which of those are there now, in a copy's sight or out of it."""
    for login in logins:
        if not login.now:
            continue
        found.logged_in |= {*node.login(login, tracked)}
        if not node.can_ask(login.peer, login.address):
            found.out_of_sight.append(_login_in_words(login))
    found.take([way for login in logins for way in node.login(login, tracked)], MOST_LOGINS, "logins by ssh")


def _take_connected(found: People, node: _Node, inbound: list[Connection], tracked: list[Established]) -> None:
    """The ways of others who are connected to the node or to its pods, but for those that logins have taken."""
    for connection in inbound:
        if ipaddress.ip_address(connection.peer).is_link_local:
            place = at(connection.address, connection.port)
            found.others_out_of_sight.append(f"{connection.peer} -> {place}/tcp")
    others = [way for connection in inbound for way in node.inbound(connection, tracked)]
    others += [way for each in tracked for way in node.tracked(each)]
    met = {_ends(way) for way in found.ways}
    others = [way for way in others if _ends(way) not in met]
    found.take(_in_turn(others), MOST_CONNECTED, "others that are connected")


def _take_outbound(found: People, node: _Node, leaving: list[Connection], established: list[Established]) -> None:
    """The ways to whom the node is connected: a login may hang on a tunnel that the node has opened itself."""
    tunnels = [_Outbound(c.peer, "tcp", c.peer_port, c.address) for c in leaving]
    for each in established:
        if each.protocol == "udp":
            tunnels.append(_Outbound(each.destination, "udp", each.port, each.source))
    tunnels.sort(key=_Outbound.rank)
    outbound = [way for tunnel in tunnels for way in node.outbound(tunnel)]
    found.take(outbound, MOST_OUTBOUND, "whom the node is connected to")


def _login_in_words(login: Connection) -> str:
    return f"ssh from {login.peer}{' (you)' if login.you else ''}"


def _ends(way: ExposedFlow) -> tuple[str, str, int]:
    """Who asks, and at which address and port."""
    return way.flow.source_address, way.flow.destination, way.flow.port


@dataclass(frozen=True, slots=True)
class _Outbound:
    """What the node is connected to from an address of its own."""

    peer: str
    protocol: str
    port: int
    own: str

    def rank(self) -> tuple[bool, bool, bool]:
        """Where it stands in the order of asking: ssh first, DNS last, UDP before TCP."""
        is_ssh = self.protocol == "tcp" and self.port == SSH_PORT
        return not is_ssh, self.port == DNS, self.protocol == "tcp"


def _take_named(found: People, node: _Node, named: list[Named], logins: list[int]) -> None:
    """The sources that rules name, each at the ports of logins and those that its rule names."""
    named.sort(key=lambda each: (not each.accepts, not {*logins} & {*each.ports}))
    groups = [[(address, each.ports) for address in sample(each, node.taken)] for each in named]
    sources: dict[Address, list[int]] = {}
    for place in zip_longest(*groups):
        for address, ports in (item for item in place if item):
            if node.is_outside(str(address)):
                sources.setdefault(address, []).extend(ports)
    kept = list(sources.items())[:MOST_NAMED]
    asked = [way for address, ports in kept for way in node.named(address, logins, ports)]
    if kept:
        of = f" of {len(sources)}" if len(sources) > len(kept) else ""
        found.sampled.append(f"sources that rules name: {len(kept)}{of}")
    found.ways += asked


class _Node:
    """What is known of the node and those who ask it."""

    def __init__(self, state: State, cluster: ClusterAddresses) -> None:
        self.state, self.cluster = state, cluster
        own = {address.ip for _, address in state.node.own_addresses()}
        pods = {ipaddress.ip_address(x) for x in state.pod_addresses}
        self.own = {str(ip) for ip in own if not ip.is_loopback}
        self.taken = own | pods
        self.networks = [ipaddress.ip_network(cidr, strict=False) for cidr in cluster.pod_cidrs]
        self.addresses = [each.ip for each in uplink_addresses(state)]

    def is_outside(self, address: str) -> bool:
        """Whether an address is another machine's that a copy's outside can ask as."""
        ip = ipaddress.ip_address(address)
        if ip in self.taken or ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            return False
        return not any(ip in network for network in self.networks)

    def can_ask(self, peer: str, address: str) -> bool:
        """Whether a copy can ask as this peer, at this address or at another one of the node's."""
        return self.is_outside(peer) and (address in self.own or self._same_family(peer) is not None)

    def _same_family(self, peer: str) -> str | None:
        version = ipaddress.ip_address(peer).version
        return next((str(ip) for ip in self.addresses if ip.version == version), None)

    def login(self, login: Connection, tracked: list[Established]) -> Iterator[ExposedFlow]:
        """The way of a login, as it came in."""
        yield from self._way(Access.PERSON, login, tracked, _login_in_words(login))

    def inbound(self, connection: Connection, tracked: list[Established]) -> Iterator[ExposedFlow]:
        """The way of another connection to a listening socket."""
        yield from self._way(Access.CONNECTED, connection, tracked, connection.peer)

    def _way(self, kind: Access, c: Connection, tracked: list[Established], who: str) -> Iterator[ExposedFlow]:
        if not self.can_ask(c.peer, c.address):
            return
        address, port = c.address if c.address in self.own else str(self._same_family(c.peer)), c.port
        for each in tracked:  # it may have come to another address or port, which a rule translates
            mine = (each.protocol, each.source, each.source_port, each.answers_port)
            if mine == ("tcp", c.peer, c.peer_port, c.port):
                address, port = each.destination, each.port
        yield ExposedFlow(kind, Flow(OUTSIDE, address, "tcp", port, source_address=c.peer), who)

    def tracked(self, each: Established) -> Iterator[ExposedFlow]:
        """The way of a tracked connection to the node or to one of its pods."""
        if each.destination in self.own or each.destination in self.state.pod_addresses:
            flow = Flow(OUTSIDE, each.destination, each.protocol, each.port, source_address=each.source)
            yield ExposedFlow(Access.CONNECTED, flow, each.source)

    def outbound(self, to: _Outbound) -> Iterator[ExposedFlow]:
        """The way to whom the node is connected from an address of its own."""
        if self.is_outside(to.peer) and to.own in self.own:
            with suppress(CannotRead):
                flow = flow_of(NODE, to.peer, to.protocol, to.port, self.state, self.cluster)
                yield ExposedFlow(Access.NODE_TO_OUTSIDE, flow)

    def named(self, source: Address, logins: list[int], ports: list[int]) -> Iterator[ExposedFlow]:
        """The ways of a source that a rule names: to the ports of logins, those of its rule, and others."""
        for node in self.addresses:
            if node.version == source.version:
                for port in self._ports_for_named(node, logins, ports):
                    flow = Flow(OUTSIDE, str(node), "tcp", port, source_address=str(source))
                    yield ExposedFlow(Access.NAMED_SOURCE, flow, str(source))

    def _ports_for_named(self, own: Address, logins: list[int], of_rule: list[int]) -> list[int]:
        """The ports of an address of the node at which a source that a rule names asks, the first of them."""
        open_ = [x.port for x in reachable(self.state.node, own) if x.protocol == "tcp"]
        wanted = [port for port in logins if port in open_]
        # a rule may lead from a port at which nobody listens to one at which somebody does
        wanted += [*of_rule[:MOST_OF_RULE], *(port for port in open_ if port not in wanted)]
        return list(dict.fromkeys(wanted))[:MOST_PORTS]


def _in_turn(ways: list[ExposedFlow]) -> list[ExposedFlow]:
    """One of each listening socket first, then a second of each."""
    by_socket: dict[tuple[str, int], list[ExposedFlow]] = {}
    for way in ways:
        by_socket.setdefault((way.flow.destination, way.flow.port), []).append(way)
    return [way for way in chain.from_iterable(zip_longest(*by_socket.values())) if way]
