"""Which service configures an interface that is down: what it was told, the interface's routes too, it makes again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.facts.node.links import Links
from netdoctor.system.host import Host

NETWORKD, NETWORK_MANAGER = "systemd-networkd", "NetworkManager"
NETWORKD_STATE, NETWORK_MANAGER_STATE = "/run/systemd/netif/links", "/run/NetworkManager/devices"
CONFIGURED = re.compile(r"^NETWORK_FILE=/", re.MULTILINE)
UNMANAGED = re.compile(r"^ADMIN_STATE=unmanaged$", re.MULTILINE)
MANAGED = re.compile(r"^managed=(true|1)$", re.MULTILINE)
MOST = 8  # interfaces that are looked at


@dataclass(frozen=True, slots=True)
class LinkManagers:
    """services that configure interfaces which are down"""

    added_later: ClassVar[bool] = True

    by_link: Mapping[str, str]  # an interface, and NETWORKD or NETWORK_MANAGER

    @classmethod
    def collect(cls, host: Host, links: Links) -> LinkManagers:
        """What both services keep of their interfaces while they run; nothing of their configuration is read."""
        down = [link for link in links.links if not link.up and link.name != "lo"][:MOST]
        found = {link.name: _manager(host, link.index) for link in down}
        return cls({name: manager for name, manager in found.items() if manager})


def _manager(host: Host, index: int) -> str:
    state = host.read_or_none(f"{NETWORKD_STATE}/{index}") or ""
    if CONFIGURED.search(state) and not UNMANAGED.search(state):
        return NETWORKD
    return NETWORK_MANAGER if MANAGED.search(host.read_or_none(f"{NETWORK_MANAGER_STATE}/{index}") or "") else ""
