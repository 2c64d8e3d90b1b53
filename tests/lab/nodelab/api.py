"""The node's API server, asked from here: each kubectl process takes a tenth of a second of a processor."""

import base64
import http.client
import json
import os
import re
import socket
import ssl
from pathlib import Path
from typing import Any

from . import enter
from .config import API_PORT

KUBECONFIG = "root/.kube/config"


class Api:
    """One connection, kept, to the API server of the node whose init has this pid."""

    def __init__(self, init: int) -> None:
        self.init = init
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, path: str) -> bytes | None:
        """What the API server answers; None while it does not answer, or not with success."""
        try:
            self._connection = self._connection or self._connect()
            self._connection.request("GET", path, headers={"Accept": "application/json"})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, KeyError, ValueError, http.client.HTTPException):  # a kubeconfig that is being written
            self._connection = None
            return None
        return text if answer.status == http.HTTPStatus.OK else None

    def get(self, path: str) -> Any:
        """An answer, parsed; None when there is none."""
        return json.loads(text) if (text := self.ask(path)) else None

    def _connect(self) -> http.client.HTTPConnection:
        """Raises OSError."""
        context = self._credentials()
        with enter.network(self.init):
            plain = socket.create_connection(("127.0.0.1", API_PORT), 5)
        connection = http.client.HTTPConnection("localhost", API_PORT)
        connection.auto_open = 0  # else it would connect again by itself, in plain text and in this network
        connection.sock = context.wrap_socket(plain, server_hostname="localhost")
        return connection

    def _credentials(self) -> ssl.SSLContext:
        """The administrator's certificate and key, as kubectl on the node finds them; raises OSError."""
        text = Path(f"/proc/{self.init}/root/{KUBECONFIG}").read_text()
        found = {k: base64.b64decode(v) for k, v in re.findall(r"(\S+)-data: (\S+)", text)}
        context = ssl.create_default_context(cadata=found["certificate-authority"].decode())
        # OpenSSL reads keys from files only: this one is in memory
        with os.fdopen(os.memfd_create("kubeconfig"), "wb") as file:
            file.write(found["client-certificate"] + found["client-key"])
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        return context
