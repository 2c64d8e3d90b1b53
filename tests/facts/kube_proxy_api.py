"""A real HTTP server that stands for the API server where it answers about kube-proxy: one DaemonSet and its pod."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.builders import NODE_NAME

DAEMON_SET = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
REVISIONS = "/apis/apps/v1/namespaces/kube-system/controllerrevisions"
LABELS = {"k8s-app": "kube-proxy", "controller-revision-hash": "aaa"}


def daemon_set(**more: Any) -> dict[str, Any]:
    spec = {"updateStrategy": {"type": more.pop("strategy", "RollingUpdate")}}
    meta = {"namespace": "kube-system", "name": "kube-proxy", "uid": "ds-1", "generation": 1, **more}
    return {"kind": "DaemonSet", "metadata": meta, "spec": spec, "status": {"observedGeneration": 1}}


def revision(number: int, template: str, owner: str = "ds-1") -> dict[str, Any]:
    owners = [{"kind": "DaemonSet", "name": "kube-proxy", "uid": owner, "controller": True}]
    labels = {"controller-revision-hash": template}
    return {"metadata": {"name": f"kube-proxy-{template}", "labels": labels, "ownerReferences": owners},
            "revision": number}  # fmt: skip


def listed(uid: str, **meta: Any) -> dict[str, Any]:
    owners = [{"kind": "DaemonSet", "name": "kube-proxy", "uid": "ds-1", "controller": True}]
    whole = {"namespace": "kube-system", "name": "kube-proxy-abcde", "uid": uid, "labels": LABELS,
             "ownerReferences": owners, **meta}  # fmt: skip
    return {"metadata": whole, "spec": {"nodeName": NODE_NAME}, "status": {}}


@dataclass
class Server:
    """What it answers and was asked; once the pod is deleted, it calls `successor`, as a new kube-proxy starts."""

    pods: list[dict[str, Any]] = field(default_factory=list)
    template: str = "aaa"
    deletes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    successor: Callable[[], object] = lambda: None
    port: int = 0

    def answer(self, path: str) -> dict[str, Any]:
        if path.startswith(DAEMON_SET):
            return daemon_set()
        if path.startswith(REVISIONS):
            return {"kind": "List", "items": [revision(1, self.template)]}
        return {"kind": "PodList", "items": self.pods}

    def delete(self, path: str, body: dict[str, Any]) -> int:
        """The status: a conflict for another pod than the one that is meant."""
        self.deletes.append((path, body))
        if (body.get("preconditions") or {}).get("uid") != self.pods[0]["metadata"]["uid"]:
            return 409
        self.successor()
        return 200

    @property
    def kubeconfig(self) -> str:
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        })  # fmt: skip


@contextmanager
def serving(listen: Callable[[Callable[[], ThreadingHTTPServer]], ThreadingHTTPServer]) -> Iterator[Server]:
    """A server for the length of a with block; `listen` makes it where it is to listen: in a network namespace."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def reply(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.reply(200, told.answer(self.path))

        def do_DELETE(self) -> None:
            status = told.delete(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.reply(status, {"kind": "Status", "message": "the UID in the precondition differs"})

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    httpd = listen(lambda: ThreadingHTTPServer(("127.0.0.1", 0), Handler))
    told.port = httpd.server_port
    threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield told
    finally:
        httpd.shutdown()
        httpd.server_close()
