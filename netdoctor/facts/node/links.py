"""Network interfaces and routes, as iproute2 prints them in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from netdoctor.errors import CannotRead
from netdoctor.system.foreign_text import to_address, to_network
from netdoctor.system.host import Host

ETHERNET = 5  # colons in a link-layer address of 6 bytes


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface."""

    name: str
    index: int
    kind: str  # bridge, veth, vxlan ..., "" for a physical one
    up: bool
    carrier: bool
    master: str
    mtu: int
    addresses: tuple[str, ...] = ()
    arp: bool = True  # whether neighbours are asked for by ARP: not on most tunnels

    @property
    def carries(self) -> bool:
        """Whether it can send: up, and with a carrier."""
        return self.up and self.carrier


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where a route leads."""

    gateway: str  # of IPv4; "" where the destination is on the link, or the gateway is one of IPv6
    device: str
    route: str  # as `ip route` prints it


@dataclass(frozen=True, slots=True)
class Links:
    """interfaces and routes"""

    links: tuple[Interface, ...]
    routes: tuple[str, ...]  # the main table's, one line each

    @classmethod
    def collect(cls, host: Host) -> Links:
        """Ask `ip`; it reads by netlink and loads nothing."""
        text = host.run(["ip", "-j", "-d", "address", "show"])
        routes = host.run(["ip", "-4", "route", "show"])
        return cls(cls.parse(text), cls.parse_routes(routes))

    @staticmethod
    def parse(text: str) -> tuple[Interface, ...]:
        """Read what `ip -j -d address` prints. Raises CannotRead."""
        try:
            return tuple(
                Interface(
                    name=item["ifname"],
                    index=item["ifindex"],
                    kind=item.get("linkinfo", {}).get("info_kind", ""),
                    up="UP" in item.get("flags", ()),
                    carrier="LOWER_UP" in item.get("flags", ()),
                    master=item.get("master", ""),
                    mtu=item["mtu"],
                    addresses=tuple(x["local"] for x in item.get("addr_info", ()) if "local" in x),
                    arp="NOARP" not in item.get("flags", ()) and item.get("address", "").count(":") == ETHERNET,
                )
                for item in json.loads(text)
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CannotRead("ip address", "it did not answer in the expected form") from error

    @staticmethod
    def parse_routes(text: str) -> tuple[str, ...]:
        """Read what `ip route` prints: one line for each route, with those of its next hops that stand below it."""
        found: list[str] = []
        for line in text.splitlines():
            words = " ".join(line.split())
            if found and words.startswith("nexthop "):
                found[-1] += f" {words}"
            elif words:
                found.append(words)
        return tuple(found)

    def named(self, name: str) -> Interface | None:
        """The interface of this name."""
        return next((link for link in self.links if link.name == name), None)

    def leads_to(self, address: str) -> bool:
        """Whether an IPv4 address is this host's own, or the main table has a route to it."""
        own = (a for link in self.links for a in link.addresses)
        return address.startswith("127.") or address in own or bool(self.next_hops(address))

    def next_hops(self, address: str) -> tuple[NextHop, ...]:
        """Those of the main table's narrowest route to an IPv4 address, or of the first of several as narrow."""
        best: tuple[int, str] | None = None
        for route in self.routes:
            destination = route.split()[0]
            try:
                network = to_network("0.0.0.0/0" if destination == "default" else destination)
                fits = to_address(address) in network
            except ValueError:  # a refusing route, or another family
                continue
            if fits and (best is None or network.prefixlen > best[0]):
                best = (network.prefixlen, route)
        return tuple(_next_hops(best[1])) if best else ()

    @property
    def default_devices(self) -> tuple[str, ...]:
        """The interfaces of the default routes."""
        return tuple(dict.fromkeys(hop.device for route in self.default_routes for hop in _next_hops(route)))

    @property
    def default_gateways(self) -> tuple[tuple[str, str], ...]:
        """The gateways of the default routes, each with its route."""
        hops = (hop for route in self.default_routes for hop in _next_hops(route))
        return tuple((hop.gateway, hop.route) for hop in hops if hop.gateway)

    @property
    def default_routes(self) -> tuple[str, ...]:
        """The default routes of the main table."""
        return tuple(route for route in self.routes if route.startswith("default"))


def _next_hops(route: str) -> Iterator[NextHop]:
    """Each next hop of a route; `via` and `dev` stand in the route itself, or after each of its words `nexthop`."""
    for part in route.split(" nexthop "):
        after = dict(pairwise(part.split()))
        if "dev" in after:
            gateway = after.get("via", "")
            yield NextHop("" if gateway == "inet6" else gateway, after["dev"], route)
