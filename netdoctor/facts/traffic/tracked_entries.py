"""Whether the kernel's table of tracked connections is small enough to be looked through in a check."""

from __future__ import annotations

from netdoctor.facts.node.sysctl import TRACKED, Sysctls

LARGEST = 100_000  # entries


def can_be_looked_through(sysctls: Sysctls) -> bool:
    """Whether there is such a table, with no more than LARGEST entries."""
    count = sysctls[TRACKED]
    return count is not None and count.isdecimal() and int(count) <= LARGEST
