"""The route that the kernel makes for the network of an interface's IPv4 address."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes._interface import change_interface, interface
from netdoctor.changes.link import NAME
from netdoctor.errors import BadInput, Drifted
from netdoctor.model import Access
from netdoctor.shell import command
from netdoctor.system.host import Host
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import RouteMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.uapi.rtnetlink import RT_TABLE, RTA, RTM


@dataclass(frozen=True, slots=True)
class AddConnectedRoute:
    """Add the route to the network of an address again, as the kernel did when the interface got it."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "connected-route"
    name: str
    index: int  # another interface of that name gets none
    address: str  # the interface's, with its prefix: 10.244.0.1/16

    def __post_init__(self) -> None:
        try:
            wanted = ipaddress.IPv4Interface(self.address)
        except ValueError as error:
            raise BadInput("this is not an IPv4 address with its prefix") from error
        usual = str(wanted) == self.address and 8 <= wanted.network.prefixlen <= 30 and not wanted.ip.is_loopback
        if not usual or not NAME.fullmatch(self.name) or self.index < 1:  # a journal may name any
            raise BadInput("this is not an address for whose network netdoctor adds a route")

    @property
    def _network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Interface(self.address).network

    @property
    def _source(self) -> ipaddress.IPv4Address:
        return ipaddress.IPv4Interface(self.address).ip

    def describe(self) -> str:
        """One line: what will be different."""
        return f"{self._network} is reached by {self.name} again, now"

    def diff(self) -> str:
        """What a person would type."""
        form = "sudo ip route add {} dev {} proto kernel scope link src {}"
        return "\n".join(f"+{line}" for line in command(form, str(self._network), self.name, str(self._source)))

    def in_short(self) -> list[str]:
        """The route."""
        return [f"+ {self.describe()}"]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The route."""
        return (("route{s}", str(self._network)),)

    def opens(self) -> tuple[Access, ...]:
        """Every port of the node that no rule closes: what was lost has no ports."""
        return (Access.POD_TO_OTHER_PORT,)

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted if the interface is gone, or a route leads to that network by now. Raises CannotRead."""
        if interface(self.name, self.index) is None:
            raise Drifted(f"interface {self.name} is gone or another one since the repair was planned")
        if self._routes():
            raise Drifted(f"a route leads to {self._network} by now")

    def apply(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Add it. Raises CannotRead."""
        if self._own() not in self._routes():
            self._change(rtnl.connected_route(self._network, self.index, self._source))

    def rehearse(self, host: Host) -> None:
        """Add it in the copy, whose interfaces have the node's numbers. Raises CannotRead."""
        self.apply(host)

    def undo(self, host: Host) -> str | None:  # noqa: ARG002 - the protocol's
        """Remove it. Raises Drifted where somebody has put another in its place, CannotRead."""
        there = self._routes()
        if self._own() in there:
            self._change(rtnl.without_connected_route(self._network, self.index, self._source))
        elif there:
            raise Drifted(f"another route leads to {self._network} since")
        return None

    def _own(self) -> tuple[int, bytes]:
        return self.index, self._source.packed

    def _routes(self) -> list[tuple[int, bytes]]:
        """Number of the interface and source address of each route of the main table to exactly this network."""
        with Netlink(ROUTE) as netlink:
            dumped = netlink.dump(RTM.GETROUTE, RouteMessage.request_for())
            found = [RouteMessage(body) for kind, body in dumped if kind == RTM.NEWROUTE]
        wanted = (self._network.network_address.packed, self._network.prefixlen)
        return [
            (route.device, route.attributes.get(RTA.PREFSRC, b""))
            for route in found
            if route.table == RT_TABLE.MAIN and (route.attributes.get(RTA.DST), route.destination_length) == wanted
        ]

    def _change(self, request: rtnl.Request) -> None:
        change_interface(self.name, request, f"the route to {self._network}")
