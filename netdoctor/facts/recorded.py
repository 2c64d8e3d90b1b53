"""When and where a recording was made: its head, which no probe judges."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netdoctor import __version__
from netdoctor.errors import CannotRead
from netdoctor.system.clock import now
from netdoctor.system.host import Host

OS_FIELD = re.compile(r'^(NAME|VERSION_ID)=["\']?([^"\'\n]{1,60})', re.MULTILINE)
# what a builder appends may name a machine
KERNEL = re.compile(r"\d+\.\d+(?:\.\d+)?(?:-\d+)?")
NFT = re.compile(r"nftables v([\d.]{1,20})")


@dataclass(frozen=True, slots=True)
class Recorded:
    """when and where a recording was made"""

    at: str  # UTC, RFC 3339
    tool: str = ""  # netdoctor, with its version
    os: str = ""  # each "" where it is not known
    kernel: str = ""
    kubernetes: str = ""
    nft: str = ""

    @classmethod
    def here(cls, host: Host, kubernetes: str = "") -> Recorded:
        """On this machine, now; `kubernetes` is the API server's version, "" where it is not known."""
        fields = dict(OS_FIELD.findall(_text(host, "/etc/os-release")))
        kernel = KERNEL.match(_text(host, "/proc/sys/kernel/osrelease"))
        system = f"{fields.get('NAME', '')} {fields.get('VERSION_ID', '')}".strip()
        return cls(now(), f"netdoctor {__version__}", system, kernel[0] if kernel else "", kubernetes, _nft(host))


def _text(host: Host, path: str) -> str:
    try:
        return host.read(path)
    except CannotRead:
        return ""


def _nft(host: Host) -> str:
    """The version of nft, "" where it is not installed or the kernel has no nftables."""
    try:
        found = NFT.match(host.run(["nft", "--version"]))
    except CannotRead:
        return ""
    return found[1] if found else ""
