"""The resolvers that the kubelet gives to pods which use the node's own, as CoreDNS does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdoctor.facts.cluster.coredns import nameservers, search_list
from netdoctor.system.host import Host
from netdoctor.system.kubelet_settings import FILES, REAL, resolv_conf_of


@dataclass(frozen=True, slots=True)
class KubeletResolvers:
    """resolvers that the kubelet gives to pods"""

    path: str  # of the resolv.conf, "" where the kubelet's settings name another file than those of FILES
    nameservers: tuple[str, ...]
    real: tuple[str, ...]  # those in systemd-resolved's own file, () where it does not run

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host) -> KubeletResolvers:
        """The file that the kubelet's settings name, and the nameservers in it. Raises CannotRead."""
        path = resolv_conf_of(host)
        if path not in FILES:
            return cls("", (), _nameservers(host, REAL))
        return cls(path, _nameservers(host, path), _nameservers(host, REAL))

    @property
    def on_loopback(self) -> tuple[str, ...]:
        """The nameservers that are the pod itself, seen from a pod."""
        return tuple(address for address in self.nameservers if is_loopback(address))


def resolver_of_node(host: Host) -> tuple[str, tuple[str, ...]]:
    """The first nameserver in the file that the kubelet gives to pods, and the domains that it searches.

    Nothing where the kubelet's settings name an unusual file. Raises CannotRead.
    """
    path = resolv_conf_of(host)
    text = host.read_or_none(path) if path in FILES else None
    return next(iter(nameservers(text or "")), ""), search_list(text or "")


def is_loopback(address: str) -> bool:
    """Whether an address leads back to the program that asks it."""
    return address.startswith("127.") or address == "::1"


def _nameservers(host: Host, path: str) -> tuple[str, ...]:
    return nameservers(host.read_or_none(path) or "")
