"""The resolvers that the kubelet gives to pods which use the node's own, as CoreDNS does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import nameservers
from netdoctor.system.host import Host

SETTINGS = "/var/lib/kubelet/config.yaml"
USUAL, REAL = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"  # the kubelet's default; systemd-resolved's own
# which files are read: the kubelet's settings may name any
FILES = (USUAL, REAL, "/run/systemd/resolve/stub-resolv.conf")


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
        path = resolv_conf(host.read(SETTINGS))
        if path not in FILES:
            return cls("", (), _nameservers(host, REAL))
        return cls(path, _nameservers(host, path), _nameservers(host, REAL))

    @property
    def on_loopback(self) -> tuple[str, ...]:
        """The nameservers that are the pod itself, seen from a pod."""
        return tuple(address for address in self.nameservers if is_loopback(address))


def is_loopback(address: str) -> bool:
    """Whether an address leads back to the program that asks it."""
    return address.startswith("127.") or address == "::1"


def resolv_conf(text: str) -> str:
    """The file that the kubelet's settings name, its default where they name none. Raises CannotRead."""
    import yaml

    from netdoctor.system.plain_yaml import load

    try:
        settings = load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CannotRead(SETTINGS, "it is not YAML") from error
    named = settings.get("resolvConf") if isinstance(settings, dict) else None
    return str(named) if named else USUAL


def _nameservers(host: Host, path: str) -> tuple[str, ...]:
    return nameservers(host.read_or_none(path) or "")
