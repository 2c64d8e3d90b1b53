"""The events of nftables' trace in one namespace of the twin, turned into the steps of a packet's way."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from netdoctor.system.host import Host
from netdoctor.system.nft_trace import DROP, T_POLICY, T_RETURN, Event, chain_rules
from netdoctor.system.trace_table import TABLE
from netdoctor.twin import vxlan
from netdoctor.twin.state import NetworkState
from netdoctor.twin.twin import Flow, Twin
from netdoctor.twin.walk import ERROR_MESSAGE, REPLY, REQUEST, Packet, TraceStep
from netdoctor.twin.wire.nftables import RULE, NftObject

OWNERS = ("KUBE-", "CNI-")  # chains of kube-proxy and the CNI
FIREWALLD = "firewalld"  # its table, in which a rule that leads to another chain changes no packet
LEADS_ELSEWHERE = (-3, -4)  # verdicts: jump, goto
NOT_THEIRS = (DROP, -5)  # verdicts in such chains that may be somebody else's rule: -5 is return
# protocol, source and destination in the headers of IP
IPV4, IPV6 = struct.Struct("!9xB2x4s4s"), struct.Struct("!6xBx16s16s")
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
VERDICTS = {0: "drop", 1: "accept", 3: "queue", -1: "continue", -3: "jump", -4: "goto", -5: "return"}
ERRORS = {"icmp": ("3/", "4/", "5/", "11/", "12/"), "icmpv6": ("1/", "2/", "3/", "4/")}


class EventReader:
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
                seen[event.packet] = self._seen(event, packet)
            # a rule that rejects is told after what the error message that it sends has met
            now = seen.get(event.packet)
            if now is None or not now.direction:
                continue
            step = _bracket(event, now) if event.table == TABLE else self._decision(event, now)
            if step:
                yield step

    def _seen(self, event: Event, packet: Packet) -> TraceStep:
        """A packet where an event tells what it looks like."""
        return TraceStep(
            where=self.name,
            direction=self._direction(packet),
            packet=packet,
            interface_in=self.names.get(event.interface_in, ""),
            interface_out=self.names.get(event.interface_out, ""),
            family=event.family,
            table=event.table,
            chain=event.chain,
            handle=0,
            text="",
            verdict="",
        )

    def _decision(self, event: Event, now: TraceStep) -> TraceStep | None:
        """The packet at a rule that it matched, or at a chain's policy; None at the end of a chain."""
        step = replace(now, family=event.family, table=event.table, chain=event.chain)
        if event.kind == T_POLICY:
            word = "drop" if event.policy == DROP else "accept"
            return replace(step, text=f"policy {word}", verdict=f"policy {word}")
        if event.kind == T_RETURN:
            return None
        handle, text = self._rule(event)
        verdict = f"{VERDICTS.get(event.verdict, str(event.verdict))} {event.jump}".strip()
        return replace(step, handle=handle, text=text, verdict=verdict)

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


def _bracket(event: Event, now: TraceStep) -> TraceStep | None:
    """The packet at one of our own tables' chains, where it passed; the one at the interfaces only marks."""
    if event.family == "netdev" or event.kind != T_POLICY:
        return None
    place = event.chain.replace("_m", " -").replace("_", " ")
    return replace(now, family=event.family, table="", chain=place)


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
    """The packet as an event tells it; None where it does not, or where it is not an IP packet."""
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
