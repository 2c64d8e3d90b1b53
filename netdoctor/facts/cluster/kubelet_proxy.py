"""Whether the kubelet asks the API server through a proxy, by the variables of its process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.node.proxy_variables import NAMES, proxy_for
from netdoctor.system import processes
from netdoctor.system.host import Host, process_environment

KUBECONFIGS = ("/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/kubeconfig")
SERVER = re.compile(r"^\s*server:\s*[\"']?(https?://[A-Za-z0-9.:\[\]-]{1,260})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class KubeletProxy:
    """proxy of the kubelet"""

    proxy: str  # host:port through which it asks the API server, "" for none
    server: str  # host of the API server in its kubeconfig

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host) -> KubeletProxy:
        """Of the process called kubelet. Raises CannotRead."""
        texts = (host.read_or_none(path) for path in KUBECONFIGS)
        server = next((match[1] for text in texts if text and (match := SERVER.search(text))), "")
        if not server:
            raise CannotRead("kubeconfig of the kubelet", "none that is known", Why.ABSENT)
        return cls.of(server, _variables(host))

    @classmethod
    def of(cls, server: str, variables: dict[str, str]) -> KubeletProxy:
        """What these variables make of requests to this URL."""
        parts = urlsplit(server)
        name = parts.hostname or ""
        return cls(proxy_for(parts.scheme, name, variables), name)


def _variables(host: Host) -> dict[str, str]:
    """The proxy variables of the kubelet. Raises CannotRead where it does not run, or may not be looked at."""
    for folder in processes.folders():
        if (host.read_or_none(folder / "comm") or "").strip() != "kubelet":
            continue
        try:
            environment = process_environment(folder.name)
        except OSError as error:
            raise CannotRead.of("environment of the kubelet", error) from error
        return {name: value for name, value in environment.items() if name.lower() in NAMES}
    raise CannotRead("kubelet", "no process is called so", Why.ABSENT)
