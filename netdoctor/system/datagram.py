"""An empty datagram: what an application that is asked nothing it knows gets, and hardly any answers."""

from __future__ import annotations

import select
import socket
import time

from netdoctor.system.questions import note_as_own
from netdoctor.system.traffic import Answer, Reply, asking_socket, reply_of


def ask_udp(address: str, port: int, timeout: float, *, source: str = "", source_port: int = 0) -> Reply:
    """How an empty datagram ends. Raises OSError."""
    begin = time.monotonic()
    with asking_socket(address, socket.SOCK_DGRAM, source, source_port) as s:
        try:
            s.connect((address, port))
            note_as_own(s)
            s.send(b"")
            answered = _answered(s, timeout)
        except OSError as error:
            return reply_of(s, error.errno or 0, begin)
    return Reply(Answer.OK if answered else Answer.TIMEOUT, round((time.monotonic() - begin) * 1000, 1))


def _answered(s: socket.socket, timeout: float) -> bool:
    """Whether a datagram comes back in time. Raises OSError for what an ICMP error became."""
    poll = select.poll()
    poll.register(s, select.POLLIN)
    if not poll.poll(timeout * 1000):
        return False
    s.recv(1)
    return True
