"""How full the kernel's table of IPv4 neighbours is: one for the whole machine, whatever the namespace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host

STATISTICS, LIMIT = "/proc/net/stat/arp_cache", "/proc/sys/net/ipv4/neigh/default/gc_thresh3"
HEXADECIMAL = 16


@dataclass(frozen=True, slots=True)
class NeighbourTable:
    """neighbours that the kernel knows"""

    entries: int
    most: int  # 0 where this namespace does not say

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host) -> NeighbourTable:
        """Read the count and its limit, which only the machine's first namespace has. Raises CannotRead."""
        statistics, limit = host.read_or_none(STATISTICS), host.read_or_none(LIMIT)
        return cls(0, 0) if statistics is None or limit is None else cls.parse(statistics, limit)

    @classmethod
    def parse(cls, statistics: str, limit: str) -> NeighbourTable:
        """A line for each processor, each with the same count, in hexadecimal digits. Raises CannotRead."""
        words = statistics.splitlines()[1:2]
        try:
            return cls(int(words[0].split()[0], HEXADECIMAL), int(limit))
        except (IndexError, ValueError) as error:
            raise CannotRead(STATISTICS, "not in the expected form") from error
