"""What firewalld's own settings file says beside its zones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.system.host import Host

FIREWALLD_CONF = "/etc/firewalld/firewalld.conf"
STRICT = re.compile(r"^StrictForwardPorts\s*=\s*(?i:yes|true)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FirewalldSettings:
    """settings of firewalld"""

    added_later: ClassVar[bool] = True

    strict_forward_ports: bool  # whether it forwards only the ports that it is told of itself (2.3 and later)

    @classmethod
    def collect(cls, host: Host) -> FirewalldSettings:
        """Read the file; firewalld's defaults where there is none."""
        return cls.parse(host.read_or_none(FIREWALLD_CONF) or "")

    @classmethod
    def parse(cls, text: str) -> FirewalldSettings:
        """Read the text of firewalld.conf."""
        return cls(STRICT.search(text) is not None)
