"""A packet's way through the twin, hook by hook, with the rule that ends it or the last place where it was seen.

The tables that mark and bracket stand in the twin alone: the node's own rules are never touched.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import (
    DROP,
    T_POLICY,
    T_RETURN,
    Dropped,
    Event,
    chain_rules,
    listen,
    messages,
    read_events,
)
from netdoctor.system.trace_table import BRACKETS, TABLE
from netdoctor.system.traffic import Reply
from netdoctor.twin import vxlan
from netdoctor.twin.state import NetworkState
from netdoctor.twin.twin import NODE, OUTSIDE, Flow, Twin
from netdoctor.twin.wire.nftables import RULE, NftObject

# the bridge's own hooks: its filters at -200 and 200, br_netfilter at 0
BRIDGE_BRACKETS = {hook: (-350, 350) for hook in ("prerouting", "input", "forward", "output", "postrouting")}
OUTPUT_BRACKETS = {"output": (-350, -195, -160, -90, 400)}
MARK = "meta l4proto { tcp, udp, icmp, ipv6-icmp } meta nftrace set 1;"
FIRST = -350
QUIET = 0.01  # seconds without an event, after which none will come
TRIES = 2
OWNERS = ("KUBE-", "CNI-")  # chains of kube-proxy and the CNI
FIREWALLD = "firewalld"  # its table, in which a rule that leads to another chain changes no packet
LEADS_ELSEWHERE = (-3, -4)  # verdicts: jump, goto
NOT_THEIRS = (DROP, -5)  # verdicts in such chains that may be somebody else's rule: -5 is return
# protocol, source and destination in the headers of IP
IPV4, IPV6 = struct.Struct("!9xB2x4s4s"), struct.Struct("!6xBx16s16s")
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
VERDICTS = {0: "drop", 1: "accept", 3: "queue", -1: "continue", -3: "jump", -4: "goto", -5: "return"}
ERRORS = {"icmp": ("3/", "4/", "5/", "11/", "12/"), "icmpv6": ("1/", "2/", "3/", "4/")}
REQUEST, REPLY, ERROR_MESSAGE = "request", "reply", "error"


@dataclass(frozen=True, slots=True)
class Packet:
    """What a packet looked like when it was seen."""

    protocol: str
    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0
    icmp: str = ""  # type/code

    def __str__(self) -> str:
        """As tcpdump would write it."""
        if self.icmp:
            return f"{self.source} > {self.destination} {self.protocol} {self.icmp}"
        return f"{self.source}:{self.source_port} > {self.destination}:{self.destination_port} {self.protocol}"


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One place on a packet's way.

    `verdict` is "" where it merely passed: the place is then a bracket, as in `forward -1`.
    """

    where: str  # NODE, or the pod in whose namespace it is
    direction: str  # REQUEST, REPLY or ERROR_MESSAGE
    packet: Packet
    interface_in: str
    interface_out: str
    family: str
    table: str
    chain: str
    handle: int  # on the node; 0: the chain's policy
    text: str
    verdict: str

    @property
    def is_bracket(self) -> bool:
        """Whether no rule is behind it."""
        return not self.verdict

    @property
    def is_policy(self) -> bool:
        """Whether the chain's policy decided, and no rule."""
        return self.verdict.startswith("policy")

    @property
    def drops(self) -> bool:
        """Whether the packet ended here."""
        return self.verdict in ("drop", "policy drop")


@dataclass(frozen=True, slots=True)
class Walk:
    """The way of a flow's packets, and how the question ended."""

    flow: Flow
    reply: Reply
    steps: tuple[TraceStep, ...]

    @property
    def stop(self) -> TraceStep | None:
        """The rule or policy that ended a packet of the question; None where none did."""
        return next((s for s in self.steps if s.drops and s.direction != ERROR_MESSAGE), None)

    @property
    def last(self) -> TraceStep | None:
        """The last place at which the question, or its answer, was seen on the node."""
        here = [s for s in self.steps if s.where == NODE and s.direction != ERROR_MESSAGE]
        return next((s for s in reversed(here) if s.direction == REPLY), here[-1] if here else None)

    def dropped(self) -> Dropped:
        """Where it ended, as the drop locator says it."""
        if stop := self.stop:
            return Dropped(stop.family, stop.table, stop.chain, stop.handle, stop.text)
        last = next((s for s in reversed(self.steps) if s.is_bracket and s.direction != ERROR_MESSAGE), None)
        return Dropped(last_seen=last.chain if last else "")


class Tracer:
    """Traces whatever is asked in a twin while it is open. Raises CannotRead where nft is not installed."""

    def __init__(self, twin: Twin, *, texts: bool = True) -> None:
        """`texts`: also of the rules of kube-proxy and the CNI, of which there may be thousands."""
        self._twin = twin
        self._texts = texts
        self._listeners: dict[str, socket.socket] = {}
        with ExitStack() as until_all_trace:
            for name in twin.namespaces:
                if name == NODE or (name != OUTSIDE and twin.state.by_name[name].nftables):
                    self._listeners[name] = until_all_trace.enter_context(twin.run(listen, name))
                    devices = [link.name for link in twin.state.by_name[name].interfaces() if link.name != "lo"]
                    twin.run(lambda them=devices: _mark(them), name)  # type: ignore[misc]
                    until_all_trace.callback(twin.run, _unmark, name)
            self._open = until_all_trace.pop_all()
        self._readers = {name: _Reader(twin, name, texts=texts) for name in self._listeners}

    def __enter__(self) -> Tracer:
        """Itself; closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def walk(self, flow: Flow) -> Walk:
        """Ask once, and see every packet of it."""
        for _ in range(TRIES):
            for listener in self._listeners.values():
                _discard(listener)
            reply = self._twin.begin(flow)
            events = {name: _received(listener) for name, listener in self._listeners.items()}
            if events[NODE] or flow.source == NODE:
                break
        order = sorted(events, key=lambda name: (name != flow.source, name != NODE))
        steps = [step for name in order for step in self._readers[name].steps(flow, events[name])]
        return Walk(flow, reply, tuple(steps))


def walk(twin: Twin, flow: Flow) -> Walk:
    """Ask once, with every packet traced. Raises CannotRead where nft is not installed."""
    with Tracer(twin) as tracer:
        return tracer.walk(flow)


def _mark(devices: list[str]) -> None:
    """Tables of ours in this thread's namespace: they mark every packet, and bracket the hooks."""
    text = [_table("inet", {**BRACKETS, **OUTPUT_BRACKETS}), _table("bridge", BRIDGE_BRACKETS)]
    host = Host()
    for part in text:
        try:
            host.run(["nft", "-f", "-"], stdin=part)
        except CannotRead as error:
            if "bridge" in part and "not supported" in error.reason:  # a kernel without bridge tables
                continue
            raise
    chains = [
        f'chain i{number} {{ type filter hook ingress device "{name}" priority -500; policy accept; {MARK} }}'
        for number, name in enumerate(devices)
    ]
    host.run(["nft", "-f", "-"], stdin="\n".join([f"table netdev {TABLE} {{", *chains, "}"]))


def _table(family: str, brackets: Mapping[str, tuple[int, ...]]) -> str:
    chains = []
    for hook, priorities in brackets.items():
        for priority in priorities:
            name = f"{hook}_{priority}".replace("-", "m")
            mark = MARK if priority == FIRST else ""
            chains.append(f"chain {name} {{ type filter hook {hook} priority {priority}; policy accept; {mark} }}")
    return "\n".join([f"table {family} {TABLE} {{", *chains, "}"])


def _unmark() -> None:
    host = Host()
    for family in ("inet", "bridge", "netdev"):
        host.run(["nft", "-f", "-"], stdin=f"add table {family} {TABLE}\ndelete table {family} {TABLE}\n")


def _discard(listener: socket.socket) -> None:
    """What the copy's own traffic (neighbours, multicast) has left in the buffer takes the room of what is asked."""
    for _ in messages(listener, 0):
        pass


def _received(listener: socket.socket) -> list[Event]:
    events: list[Event] = []
    for data in messages(listener, QUIET):
        events += read_events(data)
    return events


class _Reader:
    """Turns the events of one namespace into steps."""

    def __init__(self, twin: Twin, name: str, *, texts: bool) -> None:
        self.twin, self.name, self.texts = twin, name, texts
        self.state = twin.state.by_name[name]
        self.names = {link.index: link.name for link in self.state.interfaces()}
        self.rules: dict[tuple[str, str, str], dict[int, tuple[int, str]]] = {}
        self.tunnels = {vxlan.port(link) for link in self.state.interfaces() if vxlan.is_copied(link)}
        self.own = {str(address.ip) for _, address in self.state.own_addresses()}
        self.client_ports: set[int] = set()
        self.target = ("", 0)  # where the question went when it was last seen

    def steps(self, flow: Flow, events: list[Event]) -> Iterator[TraceStep]:
        """The events of one question; what else is under way in the copy is left out."""
        self.client_ports, self.target = set(), (flow.destination, flow.port)
        seen: dict[bytes, TraceStep] = {}
        for event in events:
            if packet := packet_of(event):
                seen[event.packet] = TraceStep(
                    self.name, self._direction(packet), packet,
                    self.names.get(event.interface_in, ""), self.names.get(event.interface_out, ""),
                    event.family, event.table, event.chain, 0, "", "",
                )  # fmt: skip
            # a rule that rejects is told after what the error message that it sends has met
            now = seen.get(event.packet)
            if now is None or not now.direction or (event.family == "netdev" and event.table == TABLE):
                continue
            if event.table == TABLE:
                if event.kind == T_POLICY:
                    place = event.chain.replace("_m", " -").replace("_", " ")
                    yield replace(now, family=event.family, table="", chain=place)
                continue
            step = replace(now, family=event.family, table=event.table, chain=event.chain)
            if event.kind == T_POLICY:
                word = "drop" if event.policy == DROP else "accept"
                yield replace(step, text=f"policy {word}", verdict=f"policy {word}")
            elif event.kind != T_RETURN:
                handle, text = self._rule(event)
                verdict = f"{VERDICTS.get(event.verdict, str(event.verdict))} {event.jump}".strip()
                yield replace(step, handle=handle, text=text, verdict=verdict)

    def _direction(self, packet: Packet) -> str:
        """By the asking side's port, which changes only where the source is translated; "" for another flow's."""
        if packet.icmp:  # echoes and neighbours' questions are nobody's here
            return ERROR_MESSAGE if packet.icmp.startswith(ERRORS[packet.protocol]) else ""
        if packet.protocol == "udp" and packet.destination_port in self.tunnels:
            return REQUEST if packet.source in self.own else REPLY
        if packet.destination_port in self.client_ports:
            return REPLY
        if packet.source_port not in self.client_ports:
            if (packet.destination, packet.destination_port) != self.target:
                return ""
            self.client_ports.add(packet.source_port)
        self.target = (packet.destination, packet.destination_port)
        return REQUEST

    def _rule(self, event: Event) -> tuple[int, str]:
        """Handle on the node and text of a rule that matched: the same place in the same chain."""
        place = (event.family, event.table, event.chain)
        if not event.handle or (not self.texts and self._is_dull(event)):  # no handle: the end of a chain
            return 0, ""
        if place not in self.rules:
            listed = self.twin.run(lambda: chain_rules(Host(), *place), self.name)
            handles = handles_of(self.state, place)
            if len(handles) != len(listed):
                handles = list(listed)
            self.rules[place] = {
                mine: (theirs, text) for (mine, text), theirs in zip(listed.items(), handles, strict=True)
            }
        return self.rules[place].get(event.handle, (0, ""))

    @staticmethod
    def _is_dull(event: Event) -> bool:
        """Whether no change is proposed for such a rule: its owner writes it so, and does nothing else with it."""
        if event.verdict in LEADS_ELSEWHERE and event.table == FIREWALLD:
            return True
        theirs = event.verdict not in NOT_THEIRS or event.chain == "KUBE-POSTROUTING"
        return theirs and event.chain.startswith(OWNERS)


def handles_of(state: NetworkState, place: tuple[str, str, str]) -> list[int]:
    """The handles of a chain's rules on the node, in order."""
    return _handles(state.nftables).get(place, [])


@lru_cache(maxsize=2)
def _handles(objects: tuple[NftObject, ...]) -> dict[tuple[str, str, str], list[int]]:
    """The handles of every chain's rules: with thousands of Services, reading them takes a second."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for each in objects:
        if each.kind == RULE:
            found.setdefault(each.place, []).append(each.handle)
    return found


def packet_of(event: Event) -> Packet | None:
    """The packet as an event tells it; None where it does not, or where it is no packet of IP's."""
    header, transport = event.network, event.transport
    if len(header) >= IPV4.size and header[0] >> 4 == 4:
        protocol, source, destination = IPV4.unpack_from(header)
    elif len(header) >= IPV6.size and header[0] >> 4 == 6:
        protocol, source, destination = IPV6.unpack_from(header)
    else:
        return None
    name = PROTOCOLS.get(protocol, str(protocol))
    ends = str(ipaddress.ip_address(source)), str(ipaddress.ip_address(destination))
    if name in ("icmp", "icmpv6"):
        return Packet(name, *ends, icmp=f"{transport[0]}/{transport[1]}" if len(transport) >= 2 else "?")
    ports = (int.from_bytes(transport[:2], "big"), int.from_bytes(transport[2:4], "big"))
    return Packet(name, *ends, *ports)
