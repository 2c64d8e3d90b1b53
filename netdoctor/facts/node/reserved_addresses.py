"""The addresses that the IPAM plugin host-local holds as reserved for pods: one file for each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.node.cni import CniConfig
from netdoctor.system.foreign_text import is_address

FOLDER = "/var/lib/cni/networks"  # host-local's dataDir, unless the configuration names another
MOST = 10_000  # files that are counted


@dataclass(frozen=True, slots=True)
class ReservedAddresses:
    """addresses reserved for pods"""

    network: str
    count: int

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, cni: CniConfig) -> ReservedAddresses:
        """Count the files of this network that are called like an address. Raises CannotRead where it has none."""
        if not cni.name:
            raise CannotRead(FOLDER, "the CNI's network has no name")
        folder = Path(FOLDER) / cni.name
        try:
            names = [path.name for path in islice(folder.iterdir(), MOST)]
        except OSError as error:
            raise CannotRead.of(str(folder), error) from error
        return cls(cni.name, sum(is_address(name) for name in names))
