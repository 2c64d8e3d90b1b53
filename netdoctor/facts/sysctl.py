"""Kernel settings: what they are now, and what the next boot will make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.host import Host
from netdoctor.model import Evidence

IP_FORWARD = "net.ipv4.ip_forward"
BRIDGE_NF_CALL = "net.bridge.bridge-nf-call-iptables"
KEYS = (
    IP_FORWARD,
    BRIDGE_NF_CALL,
    "net.bridge.bridge-nf-call-ip6tables",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.all.rp_filter",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_count",
)
# systemd-sysctl's folders, the first one wins for files of one name: sysctl.d(5)
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")


def path_of(key: str) -> str:
    """The file of a sysctl below /proc/sys."""
    return "/proc/sys/" + key.replace(".", "/")


@dataclass(frozen=True, slots=True)
class Sysctls:
    """kernel settings"""

    values: Mapping[str, str | None]  # None: the kernel has no such setting now

    @classmethod
    def collect(cls, host: Host) -> Sysctls:
        """Read the few settings that probes ask for."""
        found = {key: host.read_or_none(path_of(key)) for key in KEYS}
        return cls({key: text if text is None else text.strip() for key, text in found.items()})

    def __getitem__(self, key: str) -> str | None:
        return self.values[key]

    def evidence(self, key: str, expected: str) -> Evidence:
        """The setting as evidence."""
        value = self.values[key]
        return Evidence(path_of(key), "there is no such file" if value is None else value, expected)


@dataclass(frozen=True, slots=True)
class SysctlFiles:
    """sysctl.d files"""

    texts: Mapping[str, str]  # path -> text

    @classmethod
    def collect(cls, host: Host) -> SysctlFiles:
        """Read every sysctl.d file and /etc/sysctl.conf."""
        paths = [path for folder in FOLDERS for path in sorted(Path(folder).glob("*.conf")) if path.is_file()]
        texts = {str(path): host.read_or_none(path) for path in [*paths, Path("/etc/sysctl.conf")]}
        return cls({path: text for path, text in texts.items() if text is not None})

    def setting(self, key: str) -> tuple[str, str] | None:
        """The (path, value) that the next boot will end with, or None where no file sets the key.

        Files are taken by name, a name in an earlier folder hides the same name in a later one, and /etc/sysctl.conf
        comes last as `sysctl --system` reads it (procps-ng, sysctl.c).
        """
        by_name: dict[str, str] = {}
        for path in self.texts:
            rank = FOLDERS.index(str(Path(path).parent)) if str(Path(path).parent) in FOLDERS else -1
            name = Path(path).name
            if rank < 0:
                continue
            if name not in by_name or rank < FOLDERS.index(str(Path(by_name[name]).parent)):
                by_name[name] = path
        order = [by_name[name] for name in sorted(by_name)]
        if "/etc/sysctl.conf" in self.texts and "/etc/sysctl.conf" not in order:
            order.append("/etc/sysctl.conf")
        last = None
        for path in order:
            for line in self.texts[path].splitlines():
                name, equals, value = line.partition("=")
                if equals and name.strip().lstrip("-").replace("/", ".") == key:
                    last = (path, value.strip())
        return last


@dataclass(frozen=True, slots=True)
class BridgeNetfilterModule:
    """kernel module br_netfilter"""

    loaded: bool
    at_boot: str  # the modules-load.d file that names it, or ""

    @classmethod
    def collect(cls, host: Host) -> BridgeNetfilterModule:
        """Built in or loaded as a module: its sysctls exist in either case."""
        loaded = Path("/proc/sys/net/bridge").exists() or Path("/sys/module/br_netfilter").exists()
        for folder in ("/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d"):
            for path in sorted(Path(folder).glob("*.conf")):
                try:
                    lines = host.read(path).splitlines()
                except CannotRead:
                    continue
                if "br_netfilter" in (line.strip() for line in lines):
                    return cls(loaded, str(path))
        return cls(loaded, "")
