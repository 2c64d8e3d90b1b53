"""Run in a pod's network namespace: status 0 when DNS, the Service echo and PostgreSQL answer within a second each.

Arguments: the ClusterIPs of the Services echo and postgres.
"""

import socket
import struct
import sys
import threading
from collections.abc import Callable

TIMEOUT = 1.0
SSL_REQUEST = struct.pack("!2I", 8, 80877103)  # PostgreSQL answers with one byte


def resolve(name: str, server: str = "10.96.0.10") -> str:
    """The IPv4 address of a name; raises OSError when there is no such answer."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT)
        client.connect((server, 53))
        client.send(struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1))
        answer = client.recv(1500)
    if answer[3] & 15 or not struct.unpack("!H", answer[6:8])[0]:
        raise OSError(f"no address for {name}")
    return socket.inet_ntoa(answer[-4:])


def ask(host: str, port: int, request: bytes) -> None:
    """Connect, send, and read something; raises OSError when nothing comes."""
    with socket.create_connection((host, port), TIMEOUT) as client:
        client.sendall(request)
        if not client.recv(100):
            raise OSError(f"{host}:{port} closed the connection")


def main(echo: str, postgres: str) -> int:
    """All probes at the same time; 0 when every one got its answer."""
    probes: list[Callable[[], object]] = [
        lambda: ask(echo, 80, b"GET / HTTP/1.0\r\n\r\n"),
        lambda: ask(postgres, 5432, SSL_REQUEST),
        lambda: ask(resolve("postgres.default.svc.cluster.local"), 5432, SSL_REQUEST),
    ]
    failed: list[OSError] = []

    def attempt(probe: Callable[[], object]) -> None:
        try:
            probe()
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=attempt, args=(probe,)) for probe in probes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
