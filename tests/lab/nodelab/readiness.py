"""When a lab counts as ready: a client in a pod gets answers, and Kubernetes reports everything Ready."""

import calendar
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .api import Api
from .config import LAB
from .network import within
from .node import Node
from .processes import LabError, run, wait_for

PROBE = LAB / "nodelab" / "probe.py"


def pid_of_pod(node: Node, uid: str) -> int | None:
    """A process of the pod with this uid, found in /proc/*/cgroup."""
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            if f"/{node.group}/" in (text := path.read_text()) and f"/pod{uid}/" in text:
                return int(path.parent.name)
    return None


def api_of(node: Node) -> Api:
    """The node's API server; raises LabError."""
    if (init := node.init) is None:
        raise LabError(f"{node.name} is down")
    return Api(init)


def client_pid(node: Node, api: Api) -> int | None:
    """A process of the pod `client`."""
    pod = api.get("/api/v1/namespaces/default/pods/client")
    return pid_of_pod(node, pod["metadata"]["uid"]) if pod else None


def answers(node: Node, api: Api, client: int) -> bool:
    """Whether the client pod resolves a cluster name and reaches a Service and PostgreSQL, by address and by name."""
    if not (services := api.get("/api/v1/namespaces/default/services")):
        return False
    addresses = {s["metadata"]["name"]: s["spec"]["clusterIP"] for s in services["items"]}
    # -IS: without what the site adds, which can take as long as the probe
    command = [*within(client), sys.executable, "-IS", PROBE, addresses["echo"], addresses["postgres"]]
    if run(*command, check=False, deadline=20).returncode == 0:
        return True
    # CoreDNS asks 10.96.0.1 before kube-proxy has its rules. That connection is tracked without translation, and its
    # retransmissions keep it so for minutes: forget the tracked connections that no rule rewrote.
    node.execute("conntrack -D -d 10.96.0.1 -r 10.96.0.1", check=False)
    return False


def reported_ready(node: Node, api: Api) -> bool:
    """All nodes and pods are Ready by reports of this boot (the prepared layer holds old ones)."""
    if (init := node.init) is None:
        raise LabError(f"{node.name} went down while it was waited for")
    boot = int(Path(f"/proc/{init}").stat().st_mtime)

    def young(text: str) -> bool:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) >= boot

    nodes, pods = api.get("/api/v1/nodes"), api.get("/api/v1/pods")
    if not nodes or not pods:
        return False
    for item in nodes["items"]:
        ready = next(c for c in item["status"]["conditions"] if c["type"] == "Ready")
        if ready["status"] != "True" or not young(ready["lastHeartbeatTime"]):
            return False
    for item in pods["items"]:
        states = item["status"].get("containerStatuses") or [{}]
        if not all(c.get("ready") and young(c["state"]["running"]["startedAt"]) for c in states):
            return False
    return True


def wait_ready(node: Node, deadline: float = 150.0) -> None:
    """Wait until everything answers and is Ready; raises LabError naming what is missing after `deadline` seconds."""
    limit = time.monotonic() + deadline

    def step(name: str, condition: Callable[[], Any], pause: float = 0.2) -> Any:
        return wait_for(condition, name, max(limit - time.monotonic(), 0), pause)

    api = api_of(node)
    step("the API server", lambda: api.ask("/readyz"))
    client: int = step("the pod client", lambda: client_pid(node, api))

    def answered() -> bool:
        nonlocal client
        if not Path(f"/proc/{client}").exists():  # it was one that prepares a container, and ends with that
            client = client_pid(node, api) or client
        return answers(node, api, client)

    step("kube-proxy's rules", lambda: "10.96.0.1/32" in node.execute("iptables-save -t nat").stdout)
    node.execute("conntrack -D -d 10.96.0.1 -r 10.96.0.1", check=False)
    step("answers to the pod client", answered, 0.5)
    step("Ready conditions", lambda: reported_ready(node, api))
