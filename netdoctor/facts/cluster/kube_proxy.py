"""kube-proxy: how it is set to work, and whether it works on this node."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy_pod import KubeProxyPod, kube_proxy_pod
from netdoctor.facts.cluster.kube_proxy_ports import MODES, inside_another_process, told_mode
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.system import processes
from netdoctor.system.foreign_text import is_address, is_port
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.pod_cgroup import pod_uid

SETTINGS = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"
METRICS = "127.0.0.1:10249"  # unless metricsBindAddress says otherwise
EVERY_ADDRESS = ("", "0.0.0.0", "[::]")
OTHER_MODE = "of another mode"  # in place of a word that is none


@dataclass(frozen=True, slots=True)
class KubeProxy:
    """kube-proxy"""

    mode: str  # iptables, ipvs, nftables: in which it works; "" where the cluster has no kube-proxy that we know of
    source: str
    running: bool
    pod: str  # namespace/name of its pod on this node, "" where it is none
    trouble: str
    configured: str = ""  # the mode that its ConfigMap sets, for the next start; "" where there is none
    uid: str = ""  # of its pod
    keep: str = ""  # why deleting its pod would do more than start it again, "" where it would not

    @classmethod
    def collect(cls, host: Host, api: KubeApi | CannotRead, pods: Pods | CannotRead, this: ThisNode) -> KubeProxy:
        """The mode from the process itself, else from its ConfigMap; the pod from the API. Raises CannotRead.

        Where no process has its name, its ports tell whether it runs inside another one.
        """
        found = None if isinstance(api, CannotRead) else _pod(api, pods, this.name)
        others = set() if isinstance(pods, CannotRead) else {pod.uid for pod in pods.items}
        running = bool(_processes(host, others - {found.pod.uid if found else ""}))
        settings = None if isinstance(api, CannotRead) else api.find(SETTINGS)
        configured, address = "", METRICS
        if settings is not None:
            configured, address = _settings((settings.get("data") or {}).get("config.conf", ""))
        running, mode, source = _at_work(host, running, configured, address)
        if found is None:
            return cls(mode, source, running, "", "", configured)
        pod = found.pod
        return cls(mode, source, running, f"{pod.namespace}/{pod.name}", pod.trouble, configured, pod.uid, found.keep)


def _at_work(host: Host, running: bool, configured: str, address: str) -> tuple[bool, str, str]:
    """Whether it runs, in which mode, and how that is known; `running`: whether a process has its name."""
    of_settings = "ConfigMap kube-system/kube-proxy"
    if running:
        told = told_mode(host, address)
        if told:
            return True, told, f"its process, which says so at http://{address}/proxyMode"
        return (True, configured, of_settings) if configured else (True, "iptables", "its process: the default mode")
    inside = inside_another_process(host, address)
    if inside is None:
        return False, configured, of_settings if configured else "its process: the default mode"
    told, source = inside
    return True, told or configured or "iptables", source


def _pod(api: KubeApi, pods: Pods | CannotRead, node: str) -> KubeProxyPod | None:
    try:
        return None if isinstance(pods, CannotRead) else kube_proxy_pod(api, pods.items, node)
    except CannotRead:  # its process and its ConfigMap may tell enough
        return None


def _settings(text: str) -> tuple[str, str]:
    """The mode (an empty one means iptables), and the address of its metrics, of a KubeProxyConfiguration."""
    import yaml

    from netdoctor.system.plain_yaml import load

    try:
        settings = load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        return "iptables", METRICS
    host, _, port = str(settings.get("metricsBindAddress") or "").rpartition(":")
    host = "127.0.0.1" if host in EVERY_ADDRESS else host
    address = f"{host}:{port}" if is_port(port) and is_address(host.strip("[]")) else METRICS
    mode = str(settings.get("mode") or "iptables")
    return mode if mode in MODES else OTHER_MODE, address


def _processes(host: Host, others: Collection[str]) -> list[str]:
    """The processes of its name on this machine's network; a pod of `others` may give its processes any name."""
    found = []
    for folder in processes.folders():
        try:
            if host.read(folder / "comm").strip() != "kube-proxy" or not _is_roots(folder):
                continue
            if pod_uid(host.read(folder / "cgroup")) not in others and _shares_our_network(folder):
                found.append(folder.name)
        except CannotRead:  # it ended while we looked
            continue
    return found


def _is_roots(folder: Path) -> bool:
    """Whether the process is root's: any user may call one kube-proxy."""
    try:
        return folder.stat().st_uid == 0
    except OSError:
        return False


def _shares_our_network(folder: Path) -> bool:
    try:
        return (folder / "ns/net").stat().st_ino == Path("/proc/self/ns/net").stat().st_ino
    except OSError:  # only root may look
        return True
