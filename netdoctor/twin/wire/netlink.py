"""Netlink messages as bytes: attributes taken apart and put together, dumps, and requests with their errors.

Layouts: linux/netlink.h; a message is a header of 16 bytes (length, type, flags, sequence, port) and a body.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from netdoctor.errors import CannotRead, Why
from netdoctor.system import kernel_modules

ROUTE, NETFILTER = 0, 12
HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
REQUEST, ACK, REPLACE, EXCLUSIVE, CREATE, APPEND, DUMP = 1, 4, 0x100, 0x200, 0x400, 0x800, 0x300
ERROR, DONE = 2, 3
KIND, NESTED = 0x3FFF, 0x8000  # of an attribute's type: the number, and the flag of a nested one
SO_RCVBUFFORCE, SO_SNDBUFFORCE = 33, 32
RECEIVE_BUFFER, SEND_BUFFER = 64 << 20, 512 << 20
AT_ONCE = 512  # requests in one datagram
LONGEST = 5.0  # seconds for the kernel to answer

Attribute = tuple[int, bytes]


def attributes(data: bytes, offset: int = 0) -> list[Attribute]:
    """The attributes in order; flags (nested, byte order) stay in the type."""
    found = []
    while offset + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, offset)
        if length < ATTRIBUTE.size:
            break
        found.append((kind, data[offset + ATTRIBUTE.size : offset + length]))
        offset += (length + 3) & ~3
    return found


def by_kind(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes by number; of one that comes twice the last."""
    return {kind & KIND: value for kind, value in attributes(data, offset)}


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return ATTRIBUTE.pack(len(value) + ATTRIBUTE.size, kind) + value + b"\0" * (-len(value) % 4)


def packed(items: Iterable[Attribute]) -> bytes:
    """Attributes as bytes."""
    return b"".join(attribute(kind, value) for kind, value in items)


def text(value: bytes) -> str:
    """A zero-terminated string."""
    return value.rstrip(b"\0").decode(errors="replace")


def u32(value: bytes) -> int:
    """A number of four bytes in the machine's order."""
    return int(struct.unpack("=I", value)[0])


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence number and body of each message in a datagram."""
    offset = 0
    while offset + HEADER.size <= len(data):
        length, kind, _, sequence, _ = HEADER.unpack_from(data, offset)
        if length < HEADER.size:
            break
        yield kind, sequence, data[offset + HEADER.size : offset + length]
        offset += (length + 3) & ~3


def message(kind: int, body: bytes, flags: int, sequence: int = 0) -> bytes:
    """A whole message, padded."""
    size = HEADER.size + len(body)
    return HEADER.pack(size, kind, flags, sequence, 0) + body + b"\0" * (-size % 4)


class Netlink:
    """A netlink socket of the namespace that the calling thread is in; works from any other thread afterwards.

    What would have the kernel load a module raises CannotRead, unless a repair `loads` it.
    """

    def __init__(self, protocol: int, *, loads: bool = False) -> None:
        self._loads = loads
        if protocol in kernel_modules.PROTOCOLS and not loads:
            kernel_modules.require(kernel_modules.PROTOCOLS[protocol], "netlink")
        self._protocol = protocol
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        for forced, plain, size in (
            (SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER),
            (SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER),
        ):
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, forced, size)
            except PermissionError:  # in a user namespace: the limit of every user applies
                self.socket.setsockopt(socket.SOL_SOCKET, plain, size)
        self.socket.bind((0, 0))
        self.socket.settimeout(LONGEST)
        self._sequence = 0

    def __enter__(self) -> Netlink:
        """The socket itself; it is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def dump(self, kind: int, body: bytes) -> list[tuple[int, bytes]]:
        """Type and body of every message of a dump. Raises OSError where the kernel refuses it, CannotRead."""
        self.may_ask(kind)
        self._sequence += 1
        self.socket.send(message(kind, body, REQUEST | DUMP, self._sequence))
        found: list[tuple[int, bytes]] = []
        while True:
            for answer, sequence, data in messages(self._receive()):
                if sequence != self._sequence:
                    continue
                if answer in (DONE, ERROR):
                    if code := -struct.unpack_from("=i", data)[0]:
                        raise OSError(code, os.strerror(code))
                    return found
                found.append((answer, data))

    def get(self, kind: int, body: bytes) -> bytes | None:
        """The body of the message that answers a question; None where the kernel has no such thing.

        Raises OSError where it refuses the question, CannotRead.
        """
        self.may_ask(kind)
        self._sequence += 1
        self.socket.send(message(kind, body, REQUEST, self._sequence))
        while True:
            for answer, sequence, data in messages(self._receive()):
                if sequence != self._sequence:
                    continue
                if answer != ERROR:
                    return data
                code = -struct.unpack_from("=i", data)[0]
                if code != errno.ENOENT:
                    raise OSError(code, os.strerror(code))
                return None

    def request(self, requests: Sequence[tuple[int, bytes, int]]) -> list[int]:
        """Send (type, body, flags) one after the other, each acknowledged; the error number of each, 0 for none."""
        for kind in {kind for kind, _, _ in requests}:
            self.may_ask(kind)
        codes: list[int] = []
        for start in range(0, len(requests), AT_ONCE):
            part = requests[start : start + AT_ONCE]
            first = self._sequence + 1
            self._sequence += len(part)
            self.socket.send(
                b"".join(
                    message(kind, body, flags | REQUEST | ACK, first + place)
                    for place, (kind, body, flags) in enumerate(part)
                )
            )
            got: dict[int, int] = {}
            while len(got) < len(part):
                for answer, sequence, data in messages(self._receive()):
                    if answer == ERROR:
                        got[sequence - first] = -struct.unpack_from("=i", data)[0]
            codes += [got[place] for place in range(len(part))]
        return codes

    def may_ask(self, kind: int) -> None:
        """Raise CannotRead where a message of this type would have a subsystem of netfilter's loaded."""
        subsystem = kernel_modules.SUBSYSTEMS.get(kind >> 8)
        if self._protocol == NETFILTER and subsystem and not self._loads:
            kernel_modules.require(subsystem, "netlink")

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(1 << 20)
        except TimeoutError as error:
            raise CannotRead("netlink", f"the kernel did not answer within {LONGEST:g} s", Why.NO_ANSWER) from error


def name_of(code: int) -> str:
    """An error number's name: ENOENT."""
    return errno.errorcode.get(code, str(code))
