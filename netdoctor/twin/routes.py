"""Routes and routing rules of a state, read as far as interventions need them."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from netdoctor.twin.state import RTMSG, NetworkState, address_of
from netdoctor.twin.wire.netlink import by_kind, u32
from netdoctor.twin.wire.rtnl import LOCAL, MAIN, Address, Network

KINDS = {1: "", 2: "local", 3: "broadcast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
REFUSING = (6, 7, 8, 9)
KERNEL = 2  # protocol
DEFAULT_TABLES = {255: "local", 254: "main", 253: "default"}
ACTIONS = {1: "lookup", 6: "blackhole", 7: "unreachable", 8: "prohibit"}  # FR_ACT_*


@dataclass(frozen=True, slots=True)
class Route:
    """One route."""

    body: bytes
    destination: Network
    table: int
    protocol: int
    kind: int
    gateway: str
    device: int

    def text(self, state: NetworkState) -> str:
        """As `ip route` prints it, with the interfaces' names of this state."""
        names = {link.index: link.name for link in state.interfaces()}
        hops = [f"via {gateway} dev {names.get(index, index)}" for gateway, index in gateways(self.body)]
        if len(hops) > 1:
            hops = [f"nexthop {hop}" for hop in hops]
        elif not hops and self.device:
            hops = [f"dev {names.get(self.device, self.device)}"]
        words = [
            KINDS.get(self.kind, str(self.kind)),
            str(self.destination) if self.destination.prefixlen else "default",
            *hops,
            f"table {self.table}" if self.table != MAIN else "",
        ]
        return " ".join(word for word in words if word)

    @property
    def devices(self) -> frozenset[int]:
        """The interfaces that it leads to, of all its next hops."""
        return frozenset({self.device, *(index for _, index in gateways(self.body))} - {0})

    @property
    def refuses(self) -> bool:
        """Whether it answers, or drops, instead of leading somewhere."""
        return self.kind in REFUSING


def routes(state: NetworkState) -> Iterator[Route]:
    """The routes, without those of table local."""
    for body in state.routes:
        found = by_kind(body, RTMSG)
        family, length, table = body[0], body[1], body[4]
        if 15 in found:
            table = u32(found[15])
        if table == LOCAL or family not in (2, 10):
            continue
        raw = found.get(1, bytes(4 if family == 2 else 16))
        yield Route(
            body, ipaddress.ip_network((raw, length), strict=False), table, body[5], body[7],
            next((str(gateway) for gateway, _ in gateways(body)), ""), u32(found.get(4, b"\0" * 4)),
        )  # fmt: skip


def gateways(body: bytes) -> Iterator[tuple[Address, int]]:
    """The gateways of a route, each with its interface."""
    found = by_kind(body, RTMSG)
    if len(found.get(5, b"")) in (4, 16):
        yield ipaddress.ip_address(address_of(found[5])), u32(found.get(4, b"\0" * 4))
    offset, hops = 0, found.get(9, b"")
    while offset + 8 <= len(hops):
        length, _, _, index = struct.unpack_from("=HBBi", hops, offset)
        if length < 8:
            break
        raw = by_kind(hops[offset + 8 : offset + length]).get(5, b"")
        if len(raw) in (4, 16):
            yield ipaddress.ip_address(address_of(raw)), index
        offset += (length + 3) & ~3


def leading_to(state: NetworkState, destination: str) -> list[Route]:
    """The routes that hold this destination, the narrowest first."""
    address = ipaddress.ip_address(destination)
    found = [route for route in routes(state) if address in route.destination]
    return sorted(found, key=lambda route: -route.destination.prefixlen)


@dataclass(frozen=True, slots=True)
class Rule:
    """One routing rule that is not among the three that every namespace has."""

    body: bytes
    priority: int
    text: str


def odd_rules(state: NetworkState, family: int) -> list[Rule]:
    """The routing rules of a family (2 or 10) that somebody has added."""
    found = []
    for body in state.rules:
        data = by_kind(body, RTMSG)
        priority = u32(data[6]) if 6 in data else 0
        table = u32(data[15]) if 15 in data else body[4]
        plain = not {1, 2, 3, 10, 16, 17} & data.keys() and body[7] == 1
        if body[0] != family or (plain and table in DEFAULT_TABLES and priority in (0, 32766, 32767)):
            continue
        words = [f"from {address_of(data[2])}/{body[2]}" if 2 in data else "from all"]
        words += [f"to {address_of(data[1])}/{body[1]}"] if 1 in data else []
        words += [f"iif {data[3].rstrip(bytes(1)).decode(errors='replace')}"] if 3 in data else []
        words += [f"fwmark 0x{struct.unpack('=I', data[10])[0]:x}"] if 10 in data else []
        action = ACTIONS.get(body[7], str(body[7]))
        words.append(f"lookup {DEFAULT_TABLES.get(table, table)}" if action == "lookup" else action)
        found.append(Rule(body, priority, f"{priority}: {' '.join(words)}"))
    return found
