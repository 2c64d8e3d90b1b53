"""kube-proxy: how it is set to work, and whether it works on this node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster import Pods
from netdoctor.facts.this_node import ThisNode
from netdoctor.host import Host
from netdoctor.kube_api import KubeApi


@dataclass(frozen=True, slots=True)
class KubeProxy:
    """kube-proxy"""

    mode: str  # iptables, ipvs, nftables; "" where the cluster has no kube-proxy that we know of
    source: str
    running: bool
    pod: str  # namespace/name of its pod on this node, "" where it is none
    trouble: str

    @classmethod
    def collect(cls, host: Host, api: KubeApi | CannotRead, pods: Pods | CannotRead, this: ThisNode) -> KubeProxy:
        """The mode from its ConfigMap (an empty one means iptables), the process from /proc, the pod from the API."""
        running = bool(_processes(host))
        pod, trouble = "", ""
        if not isinstance(pods, CannotRead):
            for item in pods.items:
                if item.labels.get("k8s-app") == "kube-proxy" and item.node == this.name and not item.leaving:
                    pod, trouble = f"{item.namespace}/{item.name}", item.trouble
        mode, source = "iptables" if running else "", "its process: the default mode"
        if not isinstance(api, CannotRead):
            found = api.find("/api/v1/namespaces/kube-system/configmaps/kube-proxy")
            if found is not None:
                mode = _mode(found.get("data", {}).get("config.conf", ""))
                source = "ConfigMap kube-system/kube-proxy"
        return cls(mode, source, running, pod, trouble)


def _mode(text: str) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key == "mode":
            return value.strip().strip("\"'") or "iptables"
    return "iptables"


def _processes(host: Host) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if host.read(folder / "comm").strip() == "kube-proxy":
                found.append(folder.name)
        except CannotRead:  # it ended while we looked
            continue
    return found
