"""How long this process waits for what it asks, and from where it has asked."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from netdoctor.system.patience import patience

_longest: ContextVar[float] = ContextVar("_longest", default=math.inf)
_own: set[tuple[str, int]] = set()


@contextmanager
def believing_silence_after(seconds: float) -> Iterator[None]:
    """Wait no longer than so many seconds of a quiet machine for the answers that `ask_all` is to gather.

    How busy the machine is shows before the questions: they would count for what they wait for.
    """
    token = _longest.set(patience(seconds))
    try:
        yield
    finally:
        _longest.reset(token)


def longest_wait() -> float:
    """The most seconds to wait for an answer now; infinite where nobody has said so."""
    return _longest.get()


def note_as_own(s: socket.socket) -> None:
    """Remember from where a socket asks over UDP, once it is connected."""
    if s.type & socket.SOCK_DGRAM:
        _own.add(s.getsockname()[:2])


def is_own(address: str, port: int) -> bool:
    """Whether this process has asked from there over UDP: nobody goes on with such an exchange."""
    return (address, port) in _own
