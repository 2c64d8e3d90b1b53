"""The resolv.conf that the kubelet copies into pods: how many resolvers and search domains it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdoctor.system.host import Host
from netdoctor.system.kubelet_settings import FILES, resolv_conf_of


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
        path = resolv_conf_of(host)
        return cls.parse(path, host.read(path)) if path in FILES else cls("", 0, 0)

    @classmethod
    def parse(cls, path: str, text: str) -> KubeletResolvConf:
        """Count as the C library does: each nameserver line, and the last search line."""
        lines = [line.split() for line in text.splitlines()]
        searched = [words[1:] for words in lines if words[:1] in (["search"], ["domain"])]
        resolvers = sum(words[:1] == ["nameserver"] and len(words) > 1 for words in lines)
        return cls(path, resolvers, len(searched[-1]) if searched else 0)
