"""What kube-proxy's own health check says, and who holds the lock that it waits for where it is behind."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.kube_proxy_ports import HEALTHZ, HEALTHZ_KEYS, SECONDS, answer, port_is_roots
from netdoctor.redact import one_line
from netdoctor.system.host import Host
from netdoctor.system.patience import patience
from netdoctor.system.traffic import ask_tcp

LOCK, LOCKS = Path("/run/xtables.lock"), "/proc/locks"
AGAIN = 1.0  # seconds of a quiet machine: a busy kube-proxy answers a little later
UNAVAILABLE = 503


class Health(StrEnum):
    """How kube-proxy is."""

    UNKNOWN = "unknown"  # no health check listens here
    FOLLOWS = "follows"
    BEHIND = "behind"  # it says itself that changes wait
    SILENT = "silent"  # its port takes connections, and it does not answer


@dataclass(frozen=True, slots=True)
class KubeProxyHealth:
    """health check of kube-proxy"""

    health: Health
    since: str = ""  # when what waits was queued, as it says itself
    holder: str = ""  # the program that holds the lock of legacy iptables, "" where it is free

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host, kube_proxy: KubeProxy) -> KubeProxyHealth:
        """Ask the health check of a kube-proxy that runs, twice where it is silent."""
        if not kube_proxy.running or not port_is_roots(host, HEALTHZ):
            return cls(Health.UNKNOWN)
        said = answer(HEALTHZ, "/healthz") or answer(HEALTHZ, "/healthz", AGAIN)
        if said is None and not ask_tcp(*_place(HEALTHZ), patience(SECONDS)).answered:
            return cls(
                Health.UNKNOWN
            )  # the node does not reach itself: the kernel would accept for a process that hangs
        found = cls.of(*said) if said else cls(Health.SILENT)
        if found.health in (Health.BEHIND, Health.SILENT):
            return cls(found.health, found.since, lock_holder(host))
        return found

    @classmethod
    def of(cls, status: int, text: str) -> KubeProxyHealth:
        """From what it answered (pkg/proxy/healthcheck/proxy_health.go): a node that is being deleted is not behind."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return cls(Health.UNKNOWN)
        if not isinstance(said, dict) or not said.keys() >= HEALTHZ_KEYS:
            return cls(Health.UNKNOWN)
        if status != UNAVAILABLE or said.get("nodeEligible") is False:
            return cls(Health.FOLLOWS)
        return cls(Health.BEHIND, one_line(str(said["lastUpdated"]))[:19])


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def lock_holder(host: Host) -> str:
    """Name and PID of the program that holds /run/xtables.lock; "" where it is free, or nobody can tell."""
    try:
        file = LOCK.stat()
        lines = (host.read_or_none(LOCKS) or "").splitlines()
    except (OSError, CannotRead):
        return ""
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) == 8 and words[5] == place:  # one that waits has an arrow more
            return f"{_name(host, words[4])} (PID {words[4]})" if words[4].isdecimal() else ""
    return ""


def _name(host: Host, pid: str) -> str:
    try:
        return one_line((host.read_or_none(f"/proc/{pid}/comm") or "a program").strip())
    except CannotRead:
        return "a program"
