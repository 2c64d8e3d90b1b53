"""Network interfaces and routes, as iproute2 prints them in JSON."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.host import Host


@dataclass(frozen=True, slots=True)
class Link:
    """One interface."""

    name: str
    index: int
    kind: str  # bridge, veth, vxlan ..., "" for a physical one
    up: bool
    carrier: bool
    master: str
    mtu: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """interfaces and routes"""

    links: tuple[Link, ...]
    routes: tuple[str, ...]  # the main table's, one line each

    @classmethod
    def collect(cls, host: Host) -> Links:
        """Ask `ip`; it reads by netlink and loads nothing."""
        text = host.run(["ip", "-j", "-d", "address", "show"])
        routes = host.run(["ip", "-4", "route", "show"])
        return cls(cls.parse(text), tuple(line.strip() for line in routes.splitlines() if line.strip()))

    @staticmethod
    def parse(text: str) -> tuple[Link, ...]:
        """Read what `ip -j -d address` prints. Raises CannotRead."""
        try:
            return tuple(
                Link(
                    name=item["ifname"],
                    index=item["ifindex"],
                    kind=item.get("linkinfo", {}).get("info_kind", ""),
                    up="UP" in item.get("flags", ()),
                    carrier="LOWER_UP" in item.get("flags", ()),
                    master=item.get("master", ""),
                    mtu=item["mtu"],
                    addresses=tuple(x["local"] for x in item.get("addr_info", ()) if "local" in x),
                )
                for item in json.loads(text)
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CannotRead("ip address", f"it did not answer in the expected form: {error}") from error

    def named(self, name: str) -> Link | None:
        """The interface of this name."""
        return next((link for link in self.links if link.name == name), None)

    def leads_to(self, address: str) -> bool:
        """Whether an IPv4 address is this host's own, or the main table has a route to it."""
        own = (a for link in self.links for a in link.addresses)
        return address.startswith("127.") or address in own or self._narrowest(address) is not None

    def gateway_to(self, address: str) -> tuple[str, str] | None:
        """The next hop of the main table's narrowest route to an address, and the route; None where it has none."""
        best = self._narrowest(address)
        return (best[1], best[2]) if best and best[1] else None

    def _narrowest(self, address: str) -> tuple[int, str, str] | None:
        """Prefix length, next hop ("" for none) and text of the narrowest route to an address."""
        best: tuple[int, str, str] | None = None
        for route in self.routes:
            words = route.split()
            try:
                network = ipaddress.ip_network("0.0.0.0/0" if words[0] == "default" else words[0], strict=False)
                fits = ipaddress.ip_address(address) in network
            except ValueError:  # a refusing route, or another family
                continue
            if fits and (best is None or network.prefixlen > best[0]):
                best = (network.prefixlen, words[words.index("via") + 1] if "via" in words else "", route)
        return best

    @property
    def default_devices(self) -> tuple[str, ...]:
        """The interfaces of the default routes."""
        words = [route.split() for route in self.default_routes]
        return tuple(dict.fromkeys(w[w.index("dev") + 1] for w in words if "dev" in w[:-1]))

    @property
    def default_routes(self) -> tuple[str, ...]:
        """The default routes of the main table."""
        return tuple(route for route in self.routes if route.startswith("default"))
