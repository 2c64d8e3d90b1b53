"""When a lab counts as ready: a client in a pod gets answers, and Kubernetes reports everything Ready."""

import calendar
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .config import LAB
from .network import within
from .node import Node
from .processes import LabError, run, wait_for

PROBE = LAB / "nodelab" / "probe.py"


def get(node: Node, what: str) -> Any:
    """`kubectl get WHAT -o json` on the node, parsed."""
    return json.loads(node.execute(["kubectl", "get", *what.split(), "-o", "json"]).stdout)


def pid_of_pod(node: Node, uid: str) -> int | None:
    """A process of the pod with this uid, found in /proc/*/cgroup."""
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            if f"/{node.group}/" in (text := path.read_text()) and f"/pod{uid}/" in text:
                return int(path.parent.name)
    return None


def client_pid(node: Node) -> int | None:
    """A process of the pod `client`."""
    uid = node.execute("kubectl get pod client -o 'jsonpath={.metadata.uid}'", check=False).stdout
    return pid_of_pod(node, uid) if uid else None


def answers(node: Node) -> bool:
    """Whether the client pod resolves a cluster name and reaches a Service and PostgreSQL, by address and by name."""
    addresses = {s["metadata"]["name"]: s["spec"]["clusterIP"] for s in get(node, "services")["items"]}
    if (client := client_pid(node)) is None:
        return False
    command = [*within(client), sys.executable, PROBE, addresses["echo"], addresses["postgres"]]
    if run(*command, check=False, deadline=20).returncode == 0:
        return True
    # CoreDNS asks 10.96.0.1 before kube-proxy has its rules. That connection is tracked without translation, and its
    # retransmissions keep it so for minutes: forget the tracked connections that no rule rewrote.
    node.execute("conntrack -D -d 10.96.0.1 -r 10.96.0.1", check=False)
    return False


def reported_ready(node: Node) -> bool:
    """All nodes and pods are Ready by reports of this boot (the prepared layer holds old ones)."""
    if (init := node.init) is None:
        raise LabError(f"{node.name} went down while it was waited for")
    boot = int(Path(f"/proc/{init}").stat().st_mtime)

    def young(text: str) -> bool:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) >= boot

    for item in get(node, "nodes")["items"]:
        ready = next(c for c in item["status"]["conditions"] if c["type"] == "Ready")
        if ready["status"] != "True" or not young(ready["lastHeartbeatTime"]):
            return False
    for item in get(node, "pods -A")["items"]:
        states = item["status"].get("containerStatuses") or [{}]
        if not all(c.get("ready") and young(c["state"]["running"]["startedAt"]) for c in states):
            return False
    return True


def wait_ready(node: Node, deadline: float = 150.0) -> None:
    """Wait until everything answers and is Ready; raises LabError naming what is missing after `deadline` seconds."""
    limit = time.monotonic() + deadline

    def step(name: str, condition: Callable[[], Any]) -> Any:
        return wait_for(condition, name, max(limit - time.monotonic(), 0), 0.2)

    step("the API server", lambda: node.execute("kubectl get --raw /readyz", check=False).returncode == 0)
    step("the pod client", lambda: client_pid(node))
    step("kube-proxy's rules", lambda: "10.96.0.1/32" in node.execute("iptables-save -t nat").stdout)
    node.execute("conntrack -D -d 10.96.0.1 -r 10.96.0.1", check=False)
    step("answers to the pod client", lambda: answers(node))
    step("Ready conditions", lambda: reported_ready(node))
