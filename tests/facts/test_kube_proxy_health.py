"""What kube-proxy's health check says, in its own words, and who holds a lock, as the kernel tells it."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from netdoctor.facts.cluster import kube_proxy_health
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.kube_proxy_health import Health, KubeProxyHealth, lock_holder
from netdoctor.system.host import Host

TIMES = '"lastUpdated": "2026-01-01 10:00:00.5 +0000 UTC m=+9.1","currentTime": "2026-01-01 10:09:00.5 +0000 UTC"'
KUBE_PROXY = KubeProxy("iptables", "its process", True, "kube-system/kube-proxy-1", "")


@pytest.mark.parametrize(
    ("status", "text", "health"),
    [
        (200, f"{{{TIMES}}}", Health.FOLLOWS),
        (503, f'{{{TIMES}, "nodeEligible": true}}', Health.BEHIND),
        (503, f"{{{TIMES}}}", Health.BEHIND),
        (503, f'{{{TIMES}, "nodeEligible": false}}', Health.FOLLOWS),
        (503, "Service Unavailable", Health.UNKNOWN),
        (200, "[]", Health.UNKNOWN),
    ],
)
def test_what_it_says(status: int, text: str, health: Health) -> None:
    found = KubeProxyHealth.of(status, text)
    assert found.health is health
    assert found.since == ("2026-01-01 10:00:00" if health is Health.BEHIND else "")


def test_who_holds_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "xtables.lock"
    monkeypatch.setattr(kube_proxy_health, "LOCK", lock)
    assert lock_holder(Host()) == ""
    with lock.open("w") as file:
        assert lock_holder(Host()) == ""
        fcntl.flock(file, fcntl.LOCK_EX)
        assert f"(PID {os.getpid()})" in lock_holder(Host())


def test_it_is_asked_again_before_it_counts_as_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def silent(_address: str, _path: str, within: float = 0.5) -> None:
        asked.append(within)

    monkeypatch.setattr(kube_proxy_health, "port_is_roots", lambda _host, _address: True)
    monkeypatch.setattr(kube_proxy_health, "answer", silent)
    with socket.create_server(("127.0.0.1", 0)) as listener:  # which accepts nobody, as a process that hangs
        monkeypatch.setattr(kube_proxy_health, "HEALTHZ", f"127.0.0.1:{listener.getsockname()[1]}")
        assert KubeProxyHealth.collect(Host(), KUBE_PROXY).health is Health.SILENT
    assert KubeProxyHealth.collect(Host(), KUBE_PROXY).health is Health.UNKNOWN  # nothing is reached there any more
    assert asked[:2] == [0.5, kube_proxy_health.AGAIN]
    monkeypatch.setattr(kube_proxy_health, "port_is_roots", lambda _host, _address: False)
    assert KubeProxyHealth.collect(Host(), KUBE_PROXY).health is Health.UNKNOWN
