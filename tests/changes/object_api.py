"""A real HTTP server that stands for the API server where it keeps one object and takes JSON patches for it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from tests.json_server import JsonHandler, answering, kubeconfig_of


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
        return kubeconfig_of(self.port)


@contextmanager
def serving_object(told: ObjectServer) -> Iterator[ObjectServer]:
    """The server for the length of a with block."""

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            if self.path != told.path or told.obj is None:
                self.reply(404, {"kind": "Status", "message": "not found"})
            else:
                self.reply(200, told.obj)

        def do_PATCH(self) -> None:
            path, _, query = self.path.partition("?")
            told.queries.append(query)
            told.content = self.headers["Content-Type"]
            operations = self.body()
            self.reply(*(told.patch(operations) if path == told.path else (404, {"kind": "Status"})))

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = httpd.server_port
    with answering(httpd):
        yield told
