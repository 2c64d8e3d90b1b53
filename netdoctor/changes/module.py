"""A kernel module."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from netdoctor.changes import _bridged
from netdoctor.changes._bridge_users import MODULES, users
from netdoctor.errors import BadInput, CannotRead, Drifted, NotRehearsable
from netdoctor.system.host import Host
from netdoctor.twin.state import State

MODPROBE_SECONDS = 10.0
MOST = 3  # users that are named


@dataclass(frozen=True, slots=True)
class LoadModule:
    """Load a kernel module that is not loaded."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "module"
    name: str
    users: tuple[str, ...] = field(default=(), compare=False)  # what might have used it before it was loaded

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.name):
            raise BadInput(f"{self.name} is not the name of a kernel module")

    @classmethod
    def planned(cls, host: Host, name: str) -> LoadModule:
        """The change, with what there is now that it might be used by; what cannot be seen counts as new in the end."""
        try:
            return cls(name, users(host, name) if host.live else ())
        except CannotRead:
            return cls(name)

    @property
    def _folder(self) -> Path:
        return MODULES / self.name

    def describe(self) -> str:
        """One line: what will be different."""
        return f"load the kernel module {self.name}, now"

    def diff(self) -> str:
        """The command that does the same."""
        return f"+modprobe {self.name}"

    def in_short(self) -> list[str]:
        """The module."""
        return [f"+ {self.describe()}"]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The module."""
        return (("kernel module{s}", self.name),)

    def left_alone(self) -> str:
        """What undo does not restore."""
        return f"{self.name} stays loaded while something uses it, and so do the modules that it brought along"

    def is_of_netdoctor(self) -> bool:
        """Whether a remedy loads it: undo unloads no other."""
        return self.name == "br_netfilter"

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted if it is loaded by now."""
        if self._folder.exists():
            raise Drifted(f"the kernel module {self.name} is loaded by now")

    def apply(self, host: Host) -> None:
        """Load it. Raises CannotRead."""
        host.run(["modprobe", self.name], timeout=MODPROBE_SECONDS)

    def touches_no_way(self, state: State) -> str:
        """Why loading it changes nothing for a packet that is not between pods; "" where it may, or a copy shows it."""
        return _bridged.pods_alone(state) if self.name == _bridged.MODULE and not self._folder.exists() else ""

    def rehearse(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Nothing, where the kernel has it: a module is the whole machine's. Raises NotRehearsable elsewhere."""
        if not self._folder.exists():
            raise NotRehearsable(f"the kernel module {self.name} is not loaded, and a copy cannot load it")

    def undo(self, host: Host) -> str | None:
        """Unload it if nothing has come to use it since it was loaded; in doubt it stays, and that is told."""
        if not (self._folder / "refcnt").exists():
            return None  # it is not loaded, or built in
        try:
            come = [user for user in users(host, self.name) if user not in self.users]
        except CannotRead as error:
            return f"{self.name} stays loaded: netdoctor cannot see what uses it: {error}"
        if come:
            more = f" and {len(come) - MOST} more" if len(come) > MOST else ""
            return f"{self.name} stays loaded: these may have come to use it: {', '.join(come[:MOST])}{more}"
        try:
            host.run(["rmmod", self.name], timeout=MODPROBE_SECONDS)
        except CannotRead as error:  # taken into use this very moment
            return f"{self.name} stays loaded: {error.reason}"
        return None
