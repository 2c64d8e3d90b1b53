"""An IPv4 address of an interface, with the route that the kernel makes for its network."""

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
from netdoctor.twin.wire.messages import AddressMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.uapi.rtnetlink import RTM


@dataclass(frozen=True, slots=True)
class AddAddress:
    """Give an interface an address that it does not have, until the next boot."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "address"
    name: str
    index: int  # another interface of that name gets none
    address: str  # 10.244.0.1/16

    def __post_init__(self) -> None:
        try:
            wanted = ipaddress.IPv4Interface(self.address)
        except ValueError as error:
            raise BadInput("this is not an IPv4 address with its prefix") from error
        if not NAME.fullmatch(self.name) or self.index < 1 or not wanted.ip.is_private or wanted.ip.is_loopback:
            raise BadInput("this is not an address that netdoctor gives an interface")  # a journal may name any
        if str(wanted) != self.address or not 8 <= wanted.network.prefixlen <= 30:
            raise BadInput("this is not an address that netdoctor gives an interface")

    @property
    def _wanted(self) -> ipaddress.IPv4Interface:
        return ipaddress.IPv4Interface(self.address)

    def describe(self) -> str:
        """One line: what will be different."""
        return f"{self.address} becomes an address of {self.name}, now"

    def diff(self) -> str:
        """What a person would type."""
        lines = command("sudo ip address add {} broadcast + dev {}", self.address, self.name)
        return "\n".join(f"+{line}" for line in lines)

    def in_short(self) -> list[str]:
        """The address."""
        return [f"+ {self.describe()}"]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The address."""
        return (("interface{s}", self.name),)

    def opens(self) -> tuple[Access, ...]:
        """Every port of the node that no rule closes: what was lost has no ports."""
        return (Access.POD_TO_OTHER_PORT,)

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted if the interface is gone, or the address is somebody's by now. Raises CannotRead."""
        if interface(self.name, self.index) is None:
            raise Drifted(f"interface {self.name} is gone or another one since the repair was planned")
        if self._owners():
            raise Drifted(f"the node has {self._wanted.ip} by now")

    def apply(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Add it; the kernel adds the route to its network. Raises CannotRead."""
        if (self.index, self._wanted.network.prefixlen) not in self._owners():
            change_interface(self.name, rtnl.add_address(self._wanted, self.index), self.address)

    def rehearse(self, host: Host) -> None:
        """Add it in the copy, whose interfaces have the node's numbers. Raises CannotRead."""
        self.apply(host)

    def undo(self, host: Host) -> str | None:  # noqa: ARG002 - the protocol's
        """Remove it from this interface. Raises CannotRead."""
        if interface(self.name, self.index) is None:
            return f"interface {self.name} is gone or another one since"
        if (self.index, self._wanted.network.prefixlen) in self._owners():
            change_interface(self.name, rtnl.remove_address(self._wanted, self.index), self.address)
        return None

    def _owners(self) -> list[tuple[int, int]]:
        """Number of the interface and prefix length, wherever the node has this address."""
        with Netlink(ROUTE) as netlink:
            found = [AddressMessage(body) for _, body in netlink.dump(RTM.GETADDR, AddressMessage.request_for())]
        return [(each.index, each.prefix_length) for each in found if each.address == self._wanted.ip.packed]
