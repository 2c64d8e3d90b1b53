"""Nodes of k3s, RKE2, k0s and MicroK8s: a kubelet that has run there, and a kube-proxy inside another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster import kube_proxy as kube_proxy_fact
from netdoctor.facts.cluster.kube_proxy import METRICS
from netdoctor.facts.cluster.this_node import LocalAddresses, ThisNode
from netdoctor.system.host import Host

NO_API = CannotRead("API server", "connection refused")
# answers as kube-proxy does at the ports of its metrics and its health check
SERVER = """
import encodings.idna, json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
answers, port, uid = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = answers.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
if uid:
    os.setuid(uid)
server = HTTPServer(("127.0.0.1", port), Handler)
print("ready", flush=True)
server.serve_forever()
"""
ASK = """
import json
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.system.host import Host
silent = CannotRead("API server", "connection refused")
found = KubeProxy.collect(Host(), silent, silent, ThisNode("n1", (), ""))
print(json.dumps([found.running, found.mode, found.source]))
"""
HEALTH = {"/healthz": json.dumps({"lastUpdated": "now", "currentTime": "now", "nodeEligible": True})}


@pytest.mark.parametrize("trace", [
    "/var/lib/kubelet/config.yaml", "/var/lib/rancher/k3s/agent/kubelet.kubeconfig", "/var/lib/k0s/kubelet",
    "/var/lib/rancher/rke2/agent/kubelet.kubeconfig", "/var/snap/microk8s/current/credentials/kubelet.config",
])  # fmt: skip
def test_a_kubelet_has_run_where_its_distribution_leaves_traces(trace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == trace)
    assert ThisNode.collect(NO_API, LocalAddresses(("192.0.2.1",))).name == os.uname().nodename


def test_elsewhere_none_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    with pytest.raises(CannotRead, match="no kubelet has ever run here"):
        ThisNode.collect(NO_API, LocalAddresses(("192.0.2.1",)))


@contextmanager
def listening(answers: dict[str, str], port: int, uid: int) -> Iterator[list[str]]:
    """A network of its own with a process that answers so; gives what enters that network."""
    argv = [sys.executable, "-c", SERVER, json.dumps(answers), str(port), str(uid)]
    line = f'ip link set lo up && exec {sys.executable} -c "$0" "$@"'
    with subprocess.Popen(["unshare", "--net", "sh", "-c", line, *argv[2:]], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield ["nsenter", f"--net=/proc/{process.pid}/ns/net"]
        finally:
            process.kill()


def kube_proxy(answers: dict[str, str], port: int, uid: int = 0) -> list[object]:
    """Whether it runs, its mode, and how that is known, where a process of no special name answers so."""
    with listening(answers, port, uid) as enter:
        done = subprocess.run(
            [*enter, sys.executable, "-c", ASK], check=True, capture_output=True, text=True, timeout=20,
        )  # fmt: skip
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace")
class TestKubeProxyInsideAnotherProcess:
    @pytest.mark.parametrize("mode", ["iptables", "nftables"])
    def test_its_metrics_port_tells_its_mode(self, mode: str) -> None:
        running, found, source = kube_proxy({"/proxyMode": mode}, 10249)
        assert (running, found) == (True, mode)
        assert "inside another process" in str(source)

    def test_its_health_check_tells_that_it_is_there(self) -> None:
        assert kube_proxy(HEALTH, 10256)[:2] == [True, "iptables"]

    @pytest.mark.parametrize(("answers", "port"), [({"/proxyMode": "iptables"}, 10249), (HEALTH, 10256)])
    def test_another_user_does_not_pass_for_it(self, answers: dict[str, str], port: int) -> None:
        assert kube_proxy(answers, port, uid=65534)[:2] == [False, ""]

    @pytest.mark.parametrize(("answers", "port"), [
        ({"/proxyMode": "of my own"}, 10249), ({"/healthz": "ok"}, 10256), ({"/healthz": "[1]"}, 10256), ({}, 10249),
    ])  # fmt: skip
    def test_nor_does_another_program(self, answers: dict[str, str], port: int) -> None:
        assert kube_proxy(answers, port)[:2] == [False, ""]

    def test_its_health_check_tells_no_mode_so_the_settings_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kube_proxy_fact, "inside_another_process", lambda _host, _address: ("", "its health check"))
        assert kube_proxy_fact._at_work(Host(), False, "nftables", METRICS) == (True, "nftables", "its health check")
