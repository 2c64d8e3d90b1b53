"""Kernel settings: what they are now, and what the next boot will make of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.model import Evidence
from netdoctor.system.host import Host
from netdoctor.values import Values

IP_FORWARD = "net.ipv4.ip_forward"
BRIDGE_NF_CALL = "net.bridge.bridge-nf-call-iptables"
TRACKED, TRACKED_MOST = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"
KEYS = (
    IP_FORWARD,
    BRIDGE_NF_CALL,
    "net.bridge.bridge-nf-call-ip6tables",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.all.rp_filter",
    TRACKED_MOST,
    TRACKED,
)
# systemd-sysctl's folders, the first one wins for files of one name: sysctl.d(5)
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")

PER_INTERFACE = re.compile(r"net/ipv4/conf/[^/]{1,15}/(?:forwarding|rp_filter|\*)")
OTHERS_LAST = "/etc/sysctl.conf"  # of `sysctl --system`: systemd does not read it
ALIASES = {"net/ipv4/conf/all/forwarding": "net/ipv4/ip_forward"}  # one setting by two names


def path_of(key: str) -> str:
    """The file of a sysctl. A dot of an interface's name is a slash in a key: net.ipv4.conf.eth0/10.rp_filter."""
    return f"/proc/sys/{_swapped(key)}"


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
        data = Values(setting=key, value=value or "", expected=expected)
        return Evidence(path_of(key), "there is no such file" if value is None else value, expected, data)


def _settings(text: str) -> str:
    """The lines that set what is judged: comments and all other settings are their writer's."""
    return "".join(f"{line}\n" for line in text.splitlines() if _is_judged(line))


def _is_judged(line: str) -> bool:
    name = line.partition("=")[0].strip()
    if not name or name[0] in "#;":
        return False
    file = _file_of(name.removeprefix("-"))
    known = [_file_of(key) for key in KEYS]
    return file in known or PER_INTERFACE.fullmatch(file) is not None or any(matches(key, file) for key in known)


@dataclass(frozen=True, slots=True)
class SysctlFiles:
    """sysctl.d files"""

    texts: Mapping[str, str]  # path -> text

    @classmethod
    def collect(cls, host: Host) -> SysctlFiles:
        """Read every sysctl.d file and /etc/sysctl.conf."""
        found = [path for folder in FOLDERS for path in sorted(Path(folder).glob("*.conf")) if path.name[0] != "."]
        # a link to /dev/null hides files of its name
        paths = [path for path in found if path.is_file() or path.resolve() == Path(os.devnull)]
        texts = {str(path): host.read_or_none(path) for path in [*paths, Path(OTHERS_LAST)]}
        return cls({path: _settings(text) for path, text in texts.items() if text is not None})

    def setting(self, key: str) -> tuple[str, str] | None:
        """The (path, value) that the next boot will end with, or None where no file sets the key.

        Files are taken by name, a name in an earlier folder hides the same name in a later one, and /etc/sysctl.conf
        comes last as `sysctl --system` reads it (procps-ng, sysctl.c).
        """
        last = self.last_word(key)
        return None if last is None or last[1] is None else (last[0], last[1])

    def at_boot(self, key: str) -> tuple[tuple[str, str], ...]:
        """The (path, value) that systemd ends with at boot, then that of a later `sysctl --system`; what is set."""
        read_by_systemd = SysctlFiles({path: text for path, text in self.texts.items() if path != OTHERS_LAST})
        found = (read_by_systemd.setting(key), self.setting(key))
        return tuple(setting for setting in found if setting)

    def last_word(self, key: str) -> tuple[str, str | None] | None:
        """The same, with None for the value where a line `-key` has the last word: systemd leaves the key alone then.

        A line with the key itself counts more than one with a pattern, wherever it stands (systemd, sysctl.c).
        """
        wanted = _file_of(key)
        exact: tuple[str, str | None] | None = None
        by_pattern: tuple[str, str | None] | None = None
        for path in self._order():
            for line in self.texts[path].splitlines():
                name, equals, value = line.strip().partition("=")
                if name[:1] in ("#", ";") or not (equals or name.startswith("-")):
                    continue
                file = _file_of(name.strip().removeprefix("-"))
                if file == wanted:
                    exact = (path, value.strip() if equals else None)
                elif equals and matches(wanted, file):
                    by_pattern = (path, value.strip())
        return exact or by_pattern

    def _order(self) -> list[str]:
        """The files that count, the last one last."""
        by_name: dict[str, str] = {}
        for path in self.texts:
            folder, name = str(Path(path).parent), Path(path).name
            if folder not in FOLDERS:
                continue
            if name not in by_name or FOLDERS.index(folder) < FOLDERS.index(str(Path(by_name[name]).parent)):
                by_name[name] = path
        order = [by_name[name] for name in sorted(by_name, key=os.fsencode)]
        return [*order, OTHERS_LAST] if OTHERS_LAST in self.texts else order


def _swapped(key: str) -> str:
    """A key as a path, or back: dots and slashes change places where its first separator is a dot (sysctl.d)."""
    first = re.search("[./]", key)
    return key.translate({ord("."): "/", ord("/"): "."}) if first and first[0] == "." else key


def _file_of(key: str) -> str:
    """A key's file below /proc/sys."""
    file = _swapped(key.removeprefix("/proc/sys/"))
    return ALIASES.get(file, file)


def matches(file: str, pattern: str) -> bool:
    """Whether a sysctl's file is one of a pattern's; a star stops at a slash."""
    parts, patterns = file.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


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
