"""Sockets in a twin that answer as far as a question needs: TCP accepts, UDP echoes a query as its own answer."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress

from netdoctor.errors import CannotRead
from netdoctor.twin.state import Listener

IP_FREEBIND, IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 15, 8, 49, 50
BACKLOG = 64
LARGEST = 65535
ANSWER = 0x80  # QR, in the third byte of a DNS message


class Responder:
    """One thread that answers at every socket given to it, whichever namespace that belongs to."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self._lock = threading.Lock()
        self._stop, self._stopped = os.pipe()
        self._poll.register(self._stop, select.EPOLLIN)
        threading.Thread(target=self._serve, name="twin's listeners", daemon=True).start()

    def listen_all(self, listeners: Iterable[Listener]) -> None:
        """Listen in the calling thread's namespace, as these did."""
        them = list(listeners)
        taken = {(x.protocol, x.port) for x in them if x.address == "0.0.0.0"}
        for listener in them:
            # whether :: took IPv4 too is not told; it did unless somebody else has the port there
            self.listen(listener, both=listener.address == "::" and (listener.protocol, listener.port) not in taken)

    def listen(self, listener: Listener, *, both: bool = False) -> None:
        """Listen in the calling thread's namespace; `both`: at :: for IPv4 too. Raises CannotRead.

        Not where two sockets of the node share the place, or its address is gone.
        """
        family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
        kind = socket.SOCK_STREAM if listener.protocol == "tcp" else socket.SOCK_DGRAM
        try:
            s = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:  # a kernel without IPv6
                return
            raise CannotRead.of("twin", error) from error
        with suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not both))
                s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            s.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
            if kind == socket.SOCK_DGRAM and family == socket.AF_INET:
                s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        try:
            s.bind((listener.address, listener.port))
            if kind == socket.SOCK_STREAM:
                s.listen(BACKLOG)
        except OSError as error:
            s.close()
            if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                return
            raise CannotRead.of("twin", error) from error
        with self._lock:
            self._sockets[s.fileno()] = s
            self._poll.register(s.fileno(), select.EPOLLIN)

    def close(self) -> None:
        """Close every socket; the thread ends."""
        os.close(self._stopped)

    def _serve(self) -> None:
        while True:
            for number, _ in self._poll.poll():
                if number == self._stop:
                    self._end()
                    return
                with suppress(OSError, KeyError):
                    _answer(self._sockets[number])

    def _end(self) -> None:
        with self._lock:
            for s in self._sockets.values():
                s.close()
            self._poll.close()
            os.close(self._stop)


def _answer(s: socket.socket) -> None:
    if s.type & socket.SOCK_STREAM:
        connection, _ = s.accept()
        connection.close()
        return
    data, ancillary, _, sender = s.recvmsg(LARGEST, 256)
    if len(data) > 2:
        data = data[:2] + bytes([data[2] | ANSWER]) + data[3:]
    back = []
    for level, kind, value in ancillary:  # from the address that was asked
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            back.append((level, kind, struct.pack("=i", 0) + value[4:8] + b"\0" * 4))
        elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
            back.append((level, kind, value[:16] + b"\0" * 4))
    s.sendmsg([data], back, 0, sender)
