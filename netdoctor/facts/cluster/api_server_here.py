"""The API server of this machine, as kubeadm writes its static pod: which address it gives to everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from netdoctor.errors import CannotRead
from netdoctor.system.foreign_text import is_address
from netdoctor.system.host import Host

MANIFEST = Path("/etc/kubernetes/manifests/kube-apiserver.yaml")
ADVERTISE = "--advertise-address="


@dataclass(frozen=True, slots=True)
class ApiServerHere:
    """static pod of the API server"""

    added_later: ClassVar[bool] = True
    advertised: str  # the address that it gives as the endpoint of Service default/kubernetes; "" where it says none
    runs: bool  # whether this machine has such a pod

    @classmethod
    def collect(cls, host: Host) -> ApiServerHere:
        """Read its manifest. Raises CannotRead."""
        text = host.read_or_none(MANIFEST)
        return cls("", runs=False) if text is None else cls(cls.parse(text), runs=True)

    @staticmethod
    def parse(text: str) -> str:
        """The address of its option --advertise-address, "" where it has none. Raises CannotRead."""
        import yaml

        from netdoctor.system.plain_yaml import load

        try:
            containers = load(text)["spec"]["containers"]
            words = [str(word) for container in containers for word in _words(container)]
        except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CannotRead(str(MANIFEST), "not in the expected form") from error
        found = [word.removeprefix(ADVERTISE) for word in words if word.startswith(ADVERTISE)]
        return next(filter(is_address, found), "")


def _words(container: Any) -> list[Any]:
    return [*(container.get("command") or ()), *(container.get("args") or ())]
