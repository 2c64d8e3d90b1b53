"""A gateway on loopback that answers as LiteLLM does, with one thing different; the real one is asked in the lab."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-canary-0a1b2c3d4e5f"
OK: dict[str, tuple[int, object]] = {
    "/health/readiness": (200, {"status": "healthy", "db": "Not connected"}),
    "/v1/models": (200, {"data": [{"id": "gpt-4.1"}, {"id": "qwen"}]}),
    "/v1/chat/completions": (200, {"choices": [{"message": {"content": "hello"}}]}),
    "/v1/audio/transcriptions": (200, {"text": "nothing"}),
    "/v1/embeddings": (200, {"data": [{"embedding": [0.1]}]}),
    "/v1/images/generations": (200, {"data": [{"b64_json": ""}]}),
    "/health": (200, {"healthy_count": 2, "unhealthy_count": 0, "unhealthy_endpoints": []}),
}
NO_DATABASE = {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}


@dataclass
class Stub:
    """What was asked of it."""

    url: str
    paths: list[str] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    bodies: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def gateway(different: Mapping[str, tuple[int, object]] | None = None, *, any_key: bool = False) -> Iterator[Stub]:
    """A server whose answers at these paths are different."""
    answers = {**OK, **(different or {})}
    stub = Stub("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            stub.paths.append(self.path)
            stub.connections.add(self.client_address)
            stub.bodies[self.path] = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answers.get(self.path, (404, {"error": "not found"}))
            right = self.headers.get("Authorization") == f"Bearer {KEY}" or self.path == "/health/readiness"
            if not right and not any_key:
                status, body = 400, NO_DATABASE
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
