"""The API server of this machine, as kubeadm writes its static pod: its address, and from where Services get theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from netdoctor.errors import CannotRead
from netdoctor.system.foreign_text import is_address, is_network
from netdoctor.system.host import Host

MANIFEST = Path("/etc/kubernetes/manifests/kube-apiserver.yaml")
ADVERTISE, SERVICES = "--advertise-address=", "--service-cluster-ip-range="


@dataclass(frozen=True, slots=True)
class ApiServerHere:
    """static pod of the API server"""

    added_later: ClassVar[bool] = True
    advertised: str  # the address that it gives as the endpoint of Service default/kubernetes; "" where it says none
    runs: bool  # whether this machine has such a pod
    service_ranges: tuple[str, ...] = ()  # networks that Services get their ClusterIPs from

    @classmethod
    def collect(cls, host: Host) -> ApiServerHere:
        """Read its manifest. Raises CannotRead."""
        text = host.read_or_none(MANIFEST)
        return cls("", runs=False) if text is None else cls(cls.parse(text), True, service_ranges(text))

    @staticmethod
    def parse(text: str) -> str:
        """The address of its option --advertise-address, "" where it has none. Raises CannotRead."""
        return next(filter(is_address, _values(text, ADVERTISE)), "")


def service_ranges(text: str) -> tuple[str, ...]:
    """The networks of its option --service-cluster-ip-range, of each family one. Raises CannotRead."""
    named = [network for value in _values(text, SERVICES) for network in value.split(",")]
    return tuple(filter(is_network, named))


def _values(text: str, option: str) -> list[str]:
    """The values of an option in a manifest. Raises CannotRead."""
    import yaml

    from netdoctor.system.plain_yaml import load

    try:
        containers = load(text)["spec"]["containers"]
        words = [str(word) for container in containers for word in _words(container)]
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CannotRead(str(MANIFEST), "not in the expected form") from error
    return [word.removeprefix(option) for word in words if word.startswith(option)]


def _words(container: Any) -> list[Any]:
    return [*(container.get("command") or ()), *(container.get("args") or ())]
