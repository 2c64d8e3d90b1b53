"""A kernel module."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from netdoctor.changes import _bridged
from netdoctor.errors import BadInput, CannotRead, Drifted, NotRehearsable
from netdoctor.host import Host
from netdoctor.twin.state import State

MODPROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LoadModule:
    """Load a kernel module that is not loaded."""

    kind: ClassVar[str] = "module"
    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.name):
            raise BadInput(f"{self.name} is no name of a kernel module")

    @property
    def _folder(self) -> Path:
        return Path("/sys/module") / self.name

    def describe(self) -> str:
        """One line: what will be different."""
        return f"load the kernel module {self.name}, now"

    def diff(self) -> str:
        """The command that does the same."""
        return f"+modprobe {self.name}"

    def left_alone(self) -> str:
        """What undo does not restore."""
        return f"{self.name} stays loaded while something uses it, and so do the modules that it brought along"

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

    def undo(self, host: Host) -> None:
        """Unload it if nothing uses it; never forced."""
        users = host.read_or_none(self._folder / "refcnt")  # a built-in module has no such file
        if users is not None and users.strip() == "0":
            with suppress(CannotRead):  # taken into use this very moment
                host.run(["rmmod", self.name], timeout=MODPROBE_SECONDS)
