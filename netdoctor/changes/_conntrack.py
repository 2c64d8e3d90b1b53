"""Tracked connections that were made before a rule was there, and would go on without it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from netdoctor.errors import CannotRead
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host
from netdoctor.twin.wire import conntrack
from netdoctor.twin.wire.conntrack import Ends

MODULE = "nf_conntrack_netlink"


def available() -> bool:
    """Whether the kernel can say which connections it tracks, if need be once it has loaded a module."""
    with suppress(CannotRead):
        return kernel_modules.present(MODULE) or kernel_modules.loadable(MODULE)
    return False


def forget(host: Host, stale: Callable[[Ends], bool]) -> int:
    """Delete the connections that are stale, and say how many; none where the kernel does not say what it tracks.

    Raises CannotRead where it refuses.
    """
    if not available() or not (host.loads or kernel_modules.present(MODULE)):
        return 0
    return conntrack.delete(stale, loads=host.loads)
