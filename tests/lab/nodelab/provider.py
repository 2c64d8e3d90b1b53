#!/usr/bin/env python3
"""The modules' provider in the outside world: provider.py ADDRESS PORT. OpenAI's interface, as far as they use it.

One line of log for each request: who asked, the method and path, the status, and the model or `-`.
"""

import base64
import json
import re
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c636060606000000005000101a5f645400000000049454e44ae426082"
    )
).decode()
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
MODEL_OF_FORM = re.compile(rb'name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]+)')


def answer_to(path: str, body: dict[str, Any], raw: bytes) -> dict[str, Any] | None:
    """The answer to a POST, None for an endpoint that there is none of."""
    model = str(body.get("model", "?"))
    if path == "/chat/completions":
        contents = [m["content"] for m in body.get("messages", []) if isinstance(m.get("content"), list)]
        images = sum(part.get("type") == "image_url" for content in contents for part in content)
        text = f"{model} sees {images} image(s)" if images else f"{model} says hello"
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return {"id": "c1", "object": "chat.completion", "created": 0, "model": model, "usage": USAGE,
                "choices": [choice]}  # fmt: skip
    if path == "/audio/transcriptions" and b'name="file"' in raw:
        return {"text": f"{model} heard {len(raw)} bytes"}
    if path == "/images/generations":
        return {"created": 0, "data": [{"b64_json": PIXEL}]}
    if path == "/embeddings":
        given = body.get("input")
        count = len(given) if isinstance(given, list) else 1
        data = [{"object": "embedding", "index": i, "embedding": [0.1, 0.2, 0.3]} for i in range(count)]
        return {"object": "list", "model": model, "usage": USAGE, "data": data}
    return None


class Provider(BaseHTTPRequestHandler):
    """Keeps connections alive, as real providers do."""

    protocol_version = "HTTP/1.1"
    model = "-"

    def handle(self) -> None:
        """Requests until the connection ends; a client that was killed is nothing to log."""
        with suppress(ConnectionError):
            super().handle()

    def answer(self, body: dict[str, Any], status: int = 200) -> None:
        """Send JSON."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        """Whatever is listed is empty."""
        self.model = "-"  # the connection may have been used for a call before
        self.answer({"object": "list", "data": []})

    def do_POST(self) -> None:
        """A call of a model."""
        self.model = "-"
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "multipart/form-data" in self.headers.get("Content-Type", ""):
            found = MODEL_OF_FORM.search(raw)
            body = {"model": found[1].decode() if found else "?"}
        else:
            try:
                body = dict(json.loads(raw or b"{}"))
            except (ValueError, TypeError):
                self.answer({"error": {"message": "this is not JSON", "type": "invalid_request_error"}}, 400)
                return
        self.model = str(body.get("model", "-"))
        answer = answer_to(self.path.removeprefix("/v1").split("?")[0], body, raw)
        error = {"error": {"message": f"no such endpoint: {self.path}", "type": "invalid_request_error"}}
        self.answer(answer or error, 200 if answer else 404)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """One line in one write: requests are answered side by side."""
        words = (self.client_address[0], self.command, self.path, str(int(code)), "".join(self.model.split()))
        sys.stdout.write(" ".join(words) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Provider).serve_forever()
