"""A real HTTP server that stands for the API server where it keeps one object and takes JSON patches for it."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ObjectServer:
    """One object at one path; `before_patch` is what somebody else does at the last moment."""

    path: str
    obj: dict[str, Any] | None
    patches: list[list[dict[str, Any]]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    content: str = ""
    before_patch: Callable[[], object] = lambda: None
    after_patch: Callable[[], object] = lambda: None
    port: int = 0

    def patch(self, operations: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        """The status and the answer: the object with all operations made, or an error and none."""
        self.before_patch()
        self.patches.append(operations)
        if self.obj is None:
            return 404, {"kind": "Status", "message": "not found"}
        patched = copy.deepcopy(self.obj)
        for each in operations:
            *way, last = each["path"].split("/")[1:]
            place: Any = patched
            for part in way:
                place = place[int(part) if isinstance(place, list) else part]
            if each["op"] == "test" and place[last] != each["value"]:
                return 422, {"kind": "Status", "message": f"testing value {each['path']} failed: test failed"}
            place[last] = each["value"]
        self.obj = patched
        self.after_patch()
        return 200, self.obj

    @property
    def kubeconfig(self) -> str:
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        })  # fmt: skip


@contextmanager
def serving_object(told: ObjectServer) -> Iterator[ObjectServer]:
    """The server for the length of a with block."""

    class Handler(BaseHTTPRequestHandler):
        def reply(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            if self.path != told.path or told.obj is None:
                self.reply(404, {"kind": "Status", "message": "not found"})
            else:
                self.reply(200, told.obj)

        def do_PATCH(self) -> None:
            path, _, query = self.path.partition("?")
            told.queries.append(query)
            told.content = self.headers["Content-Type"]
            operations = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply(*(told.patch(operations) if path == told.path else (404, {"kind": "Status"})))

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = httpd.server_port
    threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield told
    finally:
        httpd.shutdown()
        httpd.server_close()
