"""Which service configures an interface that is down, by what these services keep while they run.

The lab runs neither of them: systemd-networkd waits there for a udev that a container has not, and stays "pending".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netdoctor.facts.node.link_managers import LinkManagers
from netdoctor.facts.node.links import Interface, Links
from netdoctor.system.host import Host

CONFIGURED = "# This is private data. Do not parse.\nADMIN_STATE=configuring\nOPER_STATE=off\n"
NETWORK_FILE = "NETWORK_FILE=/etc/systemd/network/10-eth0.network\n"


@dataclass(frozen=True)
class Files(Host):
    """A host with these files."""

    files: Mapping[str, str] = field(default_factory=dict)

    def read_or_none(self, path: str | Path) -> str | None:
        return self.files.get(str(path))


def managers(files: Mapping[str, str], *, up: bool = False) -> Mapping[str, str]:
    links = Links((Interface("lo", 1, "", False, False, "", 65536), Interface("eth0", 2, "", up, up, "", 1500)), ())
    return LinkManagers.collect(Files(files=files), links).by_link


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"/run/systemd/netif/links/2": CONFIGURED + NETWORK_FILE}, {"eth0": "systemd-networkd"}),
        ({"/run/systemd/netif/links/2": "ADMIN_STATE=unmanaged\n" + NETWORK_FILE}, {}),
        ({"/run/systemd/netif/links/2": CONFIGURED}, {}),
        ({"/run/NetworkManager/devices/2": "[device]\nmanaged=true\n"}, {"eth0": "NetworkManager"}),
        ({"/run/NetworkManager/devices/2": "[device]\nmanaged=false\n"}, {}),
        ({"/run/systemd/netif/links/1": CONFIGURED + NETWORK_FILE}, {}),
        ({}, {}),
    ],
)
def test_what_the_services_keep(files: dict[str, str], found: dict[str, str]) -> None:
    assert managers(files) == found
    assert managers(files, up=True) == {}
