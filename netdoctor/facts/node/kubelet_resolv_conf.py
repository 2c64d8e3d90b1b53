"""The resolv.conf that the kubelet copies into pods: how many resolvers and search domains it names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from netdoctor.system.host import Host

KUBELET = Path("/var/lib/kubelet/config.yaml")
USUAL = "/etc/resolv.conf"
KNOWN = (USUAL, "/run/systemd/resolve/resolv.conf")  # the latter is what kubeadm names where systemd-resolved runs


@dataclass(frozen=True, slots=True)
class KubeletResolvConf:
    """resolv.conf of the kubelet"""

    added_later: ClassVar[bool] = True
    path: str  # "" where it is at an unusual place, which is not opened
    resolvers: int
    domains: int  # which it searches; their names are its owner's

    @classmethod
    def collect(cls, host: Host) -> KubeletResolvConf:
        """Read the file that the kubelet's configuration names. Raises CannotRead."""
        configured = host.read_or_none(KUBELET)
        path = USUAL if configured is None else _named(configured)
        return cls.parse(path, host.read(path)) if path in KNOWN else cls("", 0, 0)

    @classmethod
    def parse(cls, path: str, text: str) -> KubeletResolvConf:
        """Count as the C library does: each nameserver line, and the last search line."""
        lines = [line.split() for line in text.splitlines()]
        searched = [words[1:] for words in lines if words[:1] in (["search"], ["domain"])]
        resolvers = sum(words[:1] == ["nameserver"] and len(words) > 1 for words in lines)
        return cls(path, resolvers, len(searched[-1]) if searched else 0)


def _named(text: str) -> str:
    """The path in `resolvConf` of a KubeletConfiguration, the usual one where there is none."""
    import yaml

    from netdoctor.system.plain_yaml import load

    try:
        settings = load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        settings = None
    named = settings.get("resolvConf") if isinstance(settings, dict) else None
    return str(named or USUAL)
