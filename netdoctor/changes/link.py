"""One thing about one interface: whether it is up, or how it is as a port of its bridge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes._interface import change_interface, interface
from netdoctor.errors import BadInput, Drifted
from netdoctor.model import Access
from netdoctor.shell import command
from netdoctor.system.host import Host
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import attribute, by_kind
from netdoctor.twin.wire.rtnl import Request
from netdoctor.twin.wire.uapi.if_link import BR_STATE, IFLA_BRPORT

UP = "up"
NAME = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}")
# word of `bridge link set`, attribute, and the value as a bridge has it by default or as the CNI sets it (hairpin)
PORT: dict[str, tuple[int, int]] = {
    "state": (IFLA_BRPORT.STATE, BR_STATE.FORWARDING),
    "hairpin": (IFLA_BRPORT.MODE, 1),
    "guard": (IFLA_BRPORT.GUARD, 0),
    "root_block": (IFLA_BRPORT.PROTECT, 0),
    "learning": (IFLA_BRPORT.LEARNING, 1),
    "flood": (IFLA_BRPORT.UNICAST_FLOOD, 1),
    "isolated": (IFLA_BRPORT.ISOLATED, 0),
}
STATES = {BR_STATE.DISABLED: "disabled", BR_STATE.FORWARDING: "forwarding"}


@dataclass(frozen=True, slots=True)
class SetLink:
    """Set an interface up, or an option of a bridge's port to what is usual."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "link"
    name: str
    index: int  # another interface of that name is not changed
    what: str  # "up", or an option of a bridge's port
    was: int
    value: int

    def __post_init__(self) -> None:
        known = self.what == UP or self.what in PORT
        if not known or not NAME.fullmatch(self.name) or self.index < 1:  # a journal may name any
            raise BadInput("this is not a setting of an interface that netdoctor changes")
        if {self.was, self.value} != ({BR_STATE.DISABLED, BR_STATE.FORWARDING} if self.what == "state" else {0, 1}):
            raise BadInput(f"{self.what} of {self.name} cannot go from {self.was} to {self.value}")

    @classmethod
    def usual(cls, name: str, index: int, what: str, was: int) -> SetLink:
        """The change to what is usual. Raises BadInput for what netdoctor does not change."""
        return cls(name, index, what, was, _usual(what))

    def describe(self) -> str:
        """One line: what will be different."""
        return f"interface {self.name}: {self._in_words(self.value)}, now"

    def diff(self) -> str:
        """Before and after, and the command that does the same."""
        lines = [f"-interface {self.name}: {self._in_words(self.was)}", f"+interface {self.name}: "]
        lines[1] += self._in_words(self.value)
        return "\n".join([*lines, *(f" {line}" for line in self.by_hand)])

    def in_short(self) -> list[str]:
        """Before and after."""
        before, after, *_ = self.diff().splitlines()
        return [f"- {before[1:]}", f"+ {after[1:]}, now"]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The interface."""
        return (("interface{s}", self.name),)

    @property
    def by_hand(self) -> tuple[str, ...]:
        """What a person would type."""
        if self.what == UP:
            return command("sudo ip link set dev {} up", self.name)
        return command("sudo bridge link set dev {} {} {}", self.name, self.what, self._word(self.value))

    def _word(self, value: int) -> str:
        return STATES[BR_STATE(value)] if self.what == "state" else ("on" if value else "off")

    def _in_words(self, value: int) -> str:
        if self.what == UP:
            return "up" if value else "down"
        return f"{self.what} {self._word(value)}"

    def is_of_netdoctor(self) -> bool:
        """Whether a remedy makes such a change: to what is usual, and no other way."""
        return self.value == _usual(self.what)

    def opens(self) -> tuple[Access, ...]:
        """Every port of the node that no rule closes: what was lost has no ports."""
        return (Access.POD_TO_OTHER_PORT,)

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted unless the interface is there and as planned. Raises CannotRead."""
        now = self._now()
        if now is None:
            raise Drifted(f"interface {self.name} is gone or another one since the repair was planned")
        if now != self.was:
            raise Drifted(f"interface {self.name} is {self._said(now)}, and it was {self._in_words(self.was)}")

    def apply(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Set it. Raises CannotRead."""
        self._set(self.value)

    def rehearse(self, host: Host) -> None:
        """Set it in the copy, whose interfaces have the node's names and numbers. Raises CannotRead."""
        self.apply(host)

    def undo(self, host: Host) -> str | None:  # noqa: ARG002 - the protocol's
        """Set it back. Raises Drifted when somebody else has changed it since, CannotRead."""
        now = self._now()
        if now is None:
            return f"interface {self.name} is gone or another one since"
        if now not in (self.was, self.value):
            raise Drifted(f"interface {self.name} is {self._said(now)}: somebody has changed that since")
        if now != self.was:
            self._set(self.was)
        return None

    def _said(self, now: int) -> str:
        """In words, also what somebody else has set."""
        if now < 0:
            return "at no bridge"
        return self._in_words(now) if now in (self.was, self.value) else f"{self.what} {now}"

    def _now(self) -> int | None:
        """What it is; -1 where it is at no bridge; None where the interface is gone or another one."""
        link = interface(self.name, self.index)
        if link is None:
            return None
        if self.what == UP:
            return int(link.up)
        found = by_kind(link.port_data).get(PORT[self.what][0])
        return found[0] if found else -1

    def _set(self, value: int) -> None:
        """Raises CannotRead where the kernel refuses it."""
        change_interface(self.name, self._request(value), self._in_words(value))

    def _request(self, value: int) -> Request:
        if self.what == UP:
            return rtnl.link_up(self.index, bool(value))
        if self.what == "state":
            return rtnl.port_state(self.index, bytes([value]))
        data = attribute(PORT[self.what][0], bytes([value]))
        return rtnl.change_link(self.index, rtnl.bridge_portinfo(data))


def _usual(what: str) -> int:
    return 1 if what == UP else PORT.get(what, (0, 0))[1]
