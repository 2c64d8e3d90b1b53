"""Pods that other pods see by an address that is not theirs: their tracked connections, masqueraded on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.node.sysctl import Sysctls
from netdoctor.facts.traffic.reach import Reach
from netdoctor.facts.traffic.tracked_entries import can_be_looked_through
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.system.host import Host
from netdoctor.twin.wire import conntrack

KEPT = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait"
USUAL, JUST_NOW = 120, 6  # seconds: the kernel's default, and for which a check has run by then


@dataclass(frozen=True, slots=True)
class HiddenPod:
    """A pod, another one that it is connected to, and the address by which that one sees it."""

    pod: str
    pod_address: str
    other: str
    seen_as: str


@dataclass(frozen=True, slots=True)
class HiddenPods:
    """pods that others see by another address"""

    items: tuple[HiddenPod, ...]

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host, sysctls: Sysctls, points: VantagePoints, reach: Reach | CannotRead) -> HiddenPods:
        """Among the pods that are tested from, once they have been connected to each other. Raises CannotRead."""
        if isinstance(reach, CannotRead) or not can_be_looked_through(sysctls):
            raise CannotRead("tracked connections between pods", "there are none, or too many", Why.UNSUPPORTED)
        kept = int(host.read_or_none(KEPT) or USUAL)
        return cls(hidden(conntrack.dump(None), {point.address: point.name for point in points.pods}, kept))


def hidden(entries: tuple[bytes, ...], pods: dict[str, str], kept: int = USUAL) -> tuple[HiddenPod, ...]:
    """The pods, given by address, whose answers go to another address; not of a pod that reaches itself.

    Only connections that have just ended count, of the `kept` seconds that the kernel remembers them for: those of an
    earlier day's rule are there for minutes.
    """
    found = {}
    for each in conntrack.established(conntrack.towards(pods, entries), ended=True):
        is_new = each.protocol == "tcp" and kept - JUST_NOW < each.seconds <= kept
        if is_new and each.source in pods and each.source not in (each.destination, each.seen_as):
            found[each.source] = HiddenPod(
                pods[each.source], each.source, pods.get(each.destination, each.destination), each.seen_as
            )
    return tuple(found.values())
