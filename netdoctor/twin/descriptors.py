"""How many descriptors copies may take: each listener of each copy is one, and most shells give a process 1024."""

from __future__ import annotations

import resource
from functools import cache

MOST = 1 << 16


@cache
def allow_many() -> None:
    """Have this process open as many as it may, up to MOST."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
