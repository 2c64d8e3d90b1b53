"""What might let a lost packet pass, one file each: a change to try in a copy of the node, and the fault it speaks of.

A file's function `propose(situation)` yields an Intervention only where there is something to change; the file is the
only registration. Remedies are tried beside these, by the changes that they would make: what has a remedy that can do
it has no file here, unless the remedy needs what a copy does not have.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from netdoctor.changes.sysctl import KEY
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.model import Change
from netdoctor.shell import command
from netdoctor.twin.state import State
from netdoctor.twin.twin import NODE, Flow
from netdoctor.twin.walk import Walk

UNNAMED = "found-by-experiment"  # the probe that speaks for a cause which has none of its own


@dataclass(frozen=True, slots=True)
class Intervention:
    """One change to a copy of the node."""

    name: str
    cause: str  # the probe whose fault it takes away
    says: str  # the fault in words, as the node has it
    change: str  # what is different in the copy
    make: Callable[[], None]  # to be called in the copy, in the namespace `where`
    where: str = NODE
    remedy: bool = False  # whether it is what netdoctor's remedy of this name would do
    by_hand: tuple[str, ...] = ()  # what to type on the node for the same, or for its safe form
    changes: tuple[Change, ...] = ()  # the same on the node; none where somebody may have wanted it as it is

    @property
    def key(self) -> tuple[str, str]:
        """What tells two of them apart."""
        return self.name, self.change


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known where a flow fails: the state, the flow, its way, and the rule of legacy iptables that moved."""

    state: State
    flow: Flow
    walk: Walk
    legacy: str
    cluster: ClusterAddresses

    @property
    def setting(self) -> Callable[[str], str | None]:
        """The node's sysctls by their path below /proc/sys/net."""
        return self.state.node.sysctls.get

    @property
    def without_endpoints(self) -> bool:
        """Whether kube-proxy rejects the packet, since it knows of no endpoint: any that we know of has gone since."""
        stop = self.walk.stop
        return stop is not None and stop.chain == "KUBE-SERVICES" and "has no endpoints" in stop.text


Propose = Callable[[Situation], Iterator[Intervention]]


@cache
def files() -> dict[str, Propose]:
    """The function of each file, by the file's name with hyphens. Raises TypeError for a file without one."""
    found: dict[str, Propose] = {}
    for module in pkgutil.iter_modules(__path__, __name__ + "."):
        propose = getattr(importlib.import_module(module.name), "propose", None)
        if propose is None:
            raise TypeError(f"{module.name} has no function called propose")
        found[module.name.rpartition(".")[2].replace("_", "-")] = propose
    return found


def proposed(situation: Situation) -> Iterator[Intervention]:
    """All that the files propose for a flow."""
    for propose in files().values():
        yield from propose(situation)


def write(key: str, value: str) -> None:
    """Set a sysctl of the calling thread's namespace, by its path below /proc/sys/net; nothing where it has none."""
    try:
        with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:  # noqa: PTH123 - no truncation
            file.write(value)
    except FileNotFoundError:
        return


def sysctl_key(path: str) -> str:
    """The key of a sysctl by its path below /proc/sys/net: a slash in a key is a dot of an interface's name."""
    return f"net.{path.translate(str.maketrans('./', '/.'))}"


def sysctl_command(paths: Iterable[str], value: str) -> tuple[str, ...]:
    """Set these sysctls, by their paths below /proc/sys/net; () where a name cannot stand in a sysctl's key."""
    keys = list(map(sysctl_key, paths))
    if not keys or not all(KEY.fullmatch(key) for key in keys):
        return ()
    return command("sudo sysctl -w {}", tuple(f"{key}={value}" for key in keys))


def ip_command(version: int, form: str, *values: object) -> tuple[str, ...]:
    """A command of iproute2 for IPv4 or IPv6."""
    return command(f"sudo ip {'-6 ' if version == 6 else ''}{form}", *values)
