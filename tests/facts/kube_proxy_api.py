"""A real HTTP server that stands for the API server where it answers about kube-proxy: one DaemonSet and its pod."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from tests.builders import NODE_NAME
from tests.json_server import JsonHandler, answering, kubeconfig_of

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
        return kubeconfig_of(self.port)


@contextmanager
def serving(listen: Callable[[Callable[[], ThreadingHTTPServer]], ThreadingHTTPServer]) -> Iterator[Server]:
    """A server for the length of a with block; `listen` makes it where it is to listen: in a network namespace."""
    told = Server()

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.reply(200, told.answer(self.path))

        def do_DELETE(self) -> None:
            status = told.delete(self.path, self.body())
            self.reply(status, {"kind": "Status", "message": "the UID in the precondition differs"})

    httpd = listen(lambda: ThreadingHTTPServer(("127.0.0.1", 0), Handler))
    told.port = httpd.server_port
    with answering(httpd):
        yield told
