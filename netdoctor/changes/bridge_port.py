"""A pod's interface on the node, as a port of the pods' bridge."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes._interface import change_interface, interface
from netdoctor.changes.link import NAME
from netdoctor.errors import BadInput, Drifted
from netdoctor.model import Access
from netdoctor.shell import all_of, command
from netdoctor.system.host import Host
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import attribute
from netdoctor.twin.wire.uapi.if_link import IFLA, IFLA_BRPORT

NO_BRIDGE = 0


@dataclass(frozen=True, slots=True)
class JoinBridge:
    """Make an interface that is at no bridge a port of this one, until the next boot."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "bridge-port"
    name: str
    index: int  # another interface of that name is not changed
    bridge: str
    bridge_index: int
    hairpin: bool  # whether the bridge's other ports send back what came from them

    def __post_init__(self) -> None:
        names = NAME.fullmatch(self.name) and NAME.fullmatch(self.bridge)
        if not names or self.index < 1 or self.bridge_index < 1:  # a journal may name any
            raise BadInput("this is not an interface that netdoctor makes a port of a bridge")

    def describe(self) -> str:
        """One line: what will be different."""
        return f"interface {self.name} becomes a port of {self.bridge}, now"

    def diff(self) -> str:
        """What a person would type."""
        return "\n".join(f"+{line}" for line in self.by_hand)

    def in_short(self) -> list[str]:
        """The port and its bridge."""
        return [f"+ {self.describe()}{', with hairpin on' if self.hairpin else ''}"]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The interface."""
        return (("interface{s}", self.name),)

    @property
    def by_hand(self) -> tuple[str, ...]:
        """What a person would type."""
        joined = command("sudo ip link set dev {} master {}", self.name, self.bridge)
        if not self.hairpin:
            return joined
        return all_of([joined, command("sudo bridge link set dev {} hairpin on", self.name)])

    def opens(self) -> tuple[Access, ...]:
        """Every port of the node that no rule closes: what was lost has no ports."""
        return (Access.POD_TO_OTHER_PORT,)

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted unless both are there and the interface is at no bridge. Raises CannotRead."""
        if interface(self.bridge, self.bridge_index) is None:
            raise Drifted(f"bridge {self.bridge} is gone or another one since the repair was planned")
        master = self._master()
        if master is None:
            raise Drifted(f"interface {self.name} is gone or another one since the repair was planned")
        if master != NO_BRIDGE:
            raise Drifted(f"interface {self.name} is a port by now")

    def apply(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Make it a port, and set its hairpin. Raises CannotRead."""
        self._set_master(self.bridge_index, f"port of {self.bridge}")
        if self.hairpin:
            info = rtnl.bridge_portinfo(attribute(IFLA_BRPORT.MODE, b"\1"))
            change_interface(self.name, rtnl.change_link(self.index, info), "hairpin on")

    def rehearse(self, host: Host) -> None:
        """Make it a port in the copy, whose interfaces have the node's names and numbers. Raises CannotRead."""
        self.apply(host)

    def undo(self, host: Host) -> str | None:  # noqa: ARG002 - the protocol's
        """Take it off the bridge. Raises Drifted where it is at another one by now, CannotRead."""
        master = self._master()
        if master is None:
            return f"interface {self.name} is gone or another one since"
        if master == self.bridge_index:
            self._set_master(NO_BRIDGE, "port of no bridge")
        elif master != NO_BRIDGE:
            raise Drifted(f"interface {self.name} is a port of another bridge since")
        return None

    def _master(self) -> int | None:
        """The number of the bridge that it is a port of; 0: none; None where it is gone or another one."""
        link = interface(self.name, self.index)
        return None if link is None else link.master

    def _set_master(self, bridge: int, what: str) -> None:
        """Raises CannotRead where the kernel refuses it."""
        body = attribute(IFLA.MASTER, struct.pack("=I", bridge))
        change_interface(self.name, rtnl.change_link(self.index, body), what)
