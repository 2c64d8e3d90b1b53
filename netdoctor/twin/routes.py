"""Routes and routing rules of a state, read as far as interventions need them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netdoctor.twin.state import NetworkState, address_of
from netdoctor.twin.wire.messages import RouteMessage, RuleMessage
from netdoctor.twin.wire.netlink import text, u32
from netdoctor.twin.wire.rtnl import Address, Network
from netdoctor.twin.wire.uapi.rtnetlink import FR_ACT, FRA, RT_TABLE, RTA, RTN

KINDS: dict[int, str] = {
    RTN.UNICAST: "",
    RTN.LOCAL: "local",
    RTN.BROADCAST: "broadcast",
    RTN.BLACKHOLE: "blackhole",
    RTN.UNREACHABLE: "unreachable",
    RTN.PROHIBIT: "prohibit",
    RTN.THROW: "throw",
}
REFUSING = (RTN.BLACKHOLE, RTN.UNREACHABLE, RTN.PROHIBIT, RTN.THROW)
DEFAULT_TABLES: dict[int, str] = {RT_TABLE.LOCAL: "local", RT_TABLE.MAIN: "main", RT_TABLE.DEFAULT: "default"}
DEFAULT_PRIORITIES = (0, 32766, 32767)  # of the three rules that every namespace has
ACTIONS: dict[int, str] = {
    FR_ACT.TO_TBL: "lookup",
    FR_ACT.BLACKHOLE: "blackhole",
    FR_ACT.UNREACHABLE: "unreachable",
    FR_ACT.PROHIBIT: "prohibit",
}
WHOLE_MARK = 0xFFFFFFFF
SELECTORS = {FRA.DST, FRA.SRC, FRA.IIFNAME, FRA.FWMARK, FRA.FWMASK, FRA.OIFNAME}


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
        return " ".join(self.words(state))

    def words(self, state: NetworkState) -> tuple[str, ...]:
        """The words of that text: a name is one of them, whatever it holds."""
        names = {link.index: link.name for link in state.interfaces()}
        found = list(gateways(self.body))
        begin = ("nexthop", "via") if len(found) > 1 else ("via",)
        hops = [(*begin, str(gateway), "dev", str(names.get(index, index))) for gateway, index in found]
        kind = KINDS.get(self.kind, str(self.kind))
        return (
            *((kind,) if kind else ()),
            str(self.destination) if self.destination.prefixlen else "default",
            *(word for hop in hops for word in hop),
            *(("dev", str(names.get(self.device, self.device))) if not hops and self.device else ()),
            *(("table", str(self.table)) if self.table != RT_TABLE.MAIN else ()),
        )

    def selected_by(self, state: NetworkState) -> tuple[str, ...]:
        """The words by which `ip route del` takes this one of several to the same destination."""
        return (*self.words(state), *(("metric", str(self.metric)) if self.metric else ()))

    @property
    def metric(self) -> int:
        """By which the kernel chooses among routes to the same destination: the lowest."""
        found = RouteMessage(self.body).attributes.get(RTA.PRIORITY)
        return u32(found) if found else 0

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
        route = RouteMessage(body)
        if route.table == RT_TABLE.LOCAL or route.family not in (socket.AF_INET, socket.AF_INET6):
            continue
        raw = route.attributes.get(RTA.DST, bytes(4 if route.family == socket.AF_INET else 16))
        destination = ipaddress.ip_network((raw, route.destination_length), strict=False)
        gateway = next((str(address) for address, _ in gateways(body)), "")
        yield Route(body, destination, route.table, route.protocol, route.type, gateway, route.device)


def gateways(body: bytes) -> Iterator[tuple[Address, int]]:
    """The gateways of a route, each with its interface."""
    route = RouteMessage(body)
    if len(route.gateway) in (4, 16):
        yield ipaddress.ip_address(route.gateway), route.device
    for hop in route.hops:
        if len(hop.gateway) in (4, 16):
            yield ipaddress.ip_address(hop.gateway), hop.device


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
    words: tuple[str, ...]  # as `ip rule` prints it, without its priority

    @property
    def text(self) -> str:
        """As `ip rule` prints it."""
        return f"{self.priority}: {' '.join(self.words)}"


def odd_rules(state: NetworkState, family: int) -> list[Rule]:
    """The routing rules of a family (AF_INET or AF_INET6) that somebody has added."""
    rules = [RuleMessage(body) for body in state.rules]
    return [
        Rule(rule.body, rule.priority, _in_words(rule))
        for rule in rules
        if rule.family == family and not _is_default(rule)
    ]


def _is_default(rule: RuleMessage) -> bool:
    """Whether every namespace has it."""
    for_all = not SELECTORS & rule.attributes.keys() and rule.action == FR_ACT.TO_TBL
    return for_all and rule.table in DEFAULT_TABLES and rule.priority in DEFAULT_PRIORITIES


def _in_words(rule: RuleMessage) -> tuple[str, ...]:
    """As `ip rule` prints it."""
    found = rule.attributes
    words = ["from", f"{address_of(rule.source)}/{rule.source_length}" if FRA.SRC in found else "all"]
    if FRA.DST in found:
        words += ["to", f"{address_of(found[FRA.DST])}/{rule.destination_length}"]
    if FRA.IIFNAME in found:
        words += ["iif", text(found[FRA.IIFNAME])]
    if FRA.FWMARK in found:
        words += ["fwmark", f"0x{u32(found[FRA.FWMARK]):x}{_mask(found)}"]
    action = ACTIONS.get(rule.action, str(rule.action))
    words += ["lookup", str(DEFAULT_TABLES.get(rule.table, rule.table))] if action == "lookup" else [action]
    return tuple(words)


def _mask(found: Mapping[int, bytes]) -> str:
    """The bits of the mark that count, where not all do."""
    mask = u32(found[FRA.FWMASK]) if FRA.FWMASK in found else WHOLE_MARK
    return "" if mask == WHOLE_MARK else f"/0x{mask:x}"
