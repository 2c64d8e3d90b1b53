"""Real traffic from any network namespace: one question, one answer, told apart as the kernel tells them apart.

Every question is asked from a fresh thread that enters the namespace and ends there: a thread keeps its namespace, so a
pool thread would answer the next question from the wrong pod. Sockets are connected ones with IP_RECVERR, so that an
ICMP error arrives with its type, its code and the address of its sender instead of as a time-out.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from netdoctor.errors import CannotRead
from netdoctor.system.questions import longest_wait, note_as_own

if TYPE_CHECKING:
    import dns.message

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE = 11, 25, 0x2000
# struct sock_extended_err and the sockaddr_in of the offender: linux/errqueue.h
EXTENDED_ERROR = struct.Struct("=IBBBBII")
MOST_ADDRESSES = 32  # of one DNS answer
SILENCE = 0.15  # seconds a thread may exceed its own time limit before it is given up


class Answer(StrEnum):
    """How a question ended."""

    OK = "ok"
    TIMEOUT = "timeout"
    REFUSED = "refused"  # the far end itself: nobody listens
    PROHIBITED = "prohibited"  # ICMP 3/9, 3/10, 3/13: a rule or a route said no
    HOST_UNREACHABLE = "host unreachable"  # ICMP 3/1: the neighbour does not answer
    NET_UNREACHABLE = "network unreachable"  # no route
    CLOSED = "closed"  # connected, and then no answer
    SERVFAIL = "servfail"
    NXDOMAIN = "nxdomain"
    DNS_REFUSED = "dns refused"
    ERROR = "error"


RCODES = {
    "NOERROR": Answer.OK,
    "SERVFAIL": Answer.SERVFAIL,
    "NXDOMAIN": Answer.NXDOMAIN,
    "REFUSED": Answer.DNS_REFUSED,
}
PROHIBITIONS = ("3/9", "3/10", "3/13", "1/1", "1/5", "1/6")  # of ICMPv6: prohibited, by policy, a route that rejects
PORT_UNREACHABLE = ("3/3", "1/4")
REJECTIONS = (Answer.PROHIBITED, Answer.HOST_UNREACHABLE, Answer.NET_UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of one question: what came back, after how many milliseconds, and the ICMP error that said so."""

    answer: Answer
    milliseconds: float
    icmp: str = ""  # "3/13 from 10.244.0.1"
    detail: str = ""

    @property
    def arrived(self) -> bool:
        """Whether the packet reached the far end and its answer came back; a refusal is an answer too."""
        return self.answer not in (Answer.TIMEOUT, Answer.ERROR, *REJECTIONS)

    @property
    def answered(self) -> bool:
        """Whether who was asked has spoken: any rcode counts, a refused port does not."""
        return self.arrived and self.answer not in (Answer.REFUSED, Answer.CLOSED)

    def __str__(self) -> str:
        """In words: `timeout after 1000 ms`, `prohibited (ICMP 3/13 from 10.244.0.1)`."""
        if self.answer is Answer.TIMEOUT:
            return f"no answer within {self.milliseconds / 1000:.1f} s"
        if self.icmp:
            return f"{self.answer} (ICMP {self.icmp})"
        return f"{self.answer}: {self.detail}" if self.detail else str(self.answer)


def in_namespace(path: str, question: Callable[[], T]) -> Future[T]:
    """Ask from the network namespace at this path ("" for the machine's own), in a thread that ends afterwards."""
    future: Future[T] = Future()

    def enter_and_ask() -> None:
        try:
            if path:
                enter(path)
            future.set_result(question())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=enter_and_ask, name=f"netns {path}", daemon=True).start()
    return future


def enter(path: str) -> None:
    """Put the calling thread into a network namespace. Raises CannotRead."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotRead.of(path, error) from error
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET):
            raise CannotRead.of(path, ctypes.get_errno())
    finally:
        os.close(descriptor)


def ask_all(questions: Sequence[tuple[str, Callable[[], Reply]]], within: float) -> list[Reply]:
    """Ask every (namespace, question) at once; one that does not end within so many seconds counts as a time-out."""
    begin = time.monotonic()
    within = min(within, longest_wait())
    futures = [in_namespace(path, question) for path, question in questions]
    replies = []
    for future in futures:
        left = max(0.0, begin + within + SILENCE - time.monotonic())
        try:
            replies.append(future.result(left))
        except TimeoutError:
            replies.append(Reply(Answer.TIMEOUT, within * 1000))
        except (CannotRead, OSError) as error:  # the latter: an address that nobody has there to ask from
            replies.append(Reply(Answer.ERROR, 0, detail=str(error)))
    return replies


def ask_tcp(address: str, port: int, timeout: float, *, source: str = "") -> Reply:
    """Whether a TCP connection is accepted within `timeout` seconds; `source`: the address to ask from."""
    begin = time.monotonic()
    with asking_socket(address, socket.SOCK_STREAM, source) as s:
        failure = _connect(s, address, port, timeout)
        return failure or Reply(Answer.OK, _since(begin))


def ask_dns(
    server: str,
    name: str,
    timeout: float,
    *,
    over_tcp: bool = False,
    port: int = 53,
    source: str = "",
    longer: Callable[[], float] = lambda: 0.0,
    record: str = "A",
) -> Reply:
    """Ask a resolver for a name's records; `detail` holds the IPv4 addresses. Any rcode is an answer.

    A resolver that is silent over UDP for `timeout` seconds gets as many more as `longer` then says.
    """
    import dns.message

    begin = time.monotonic()
    query = dns.message.make_query(name, record)
    wire = query.to_wire()
    with asking_socket(server, socket.SOCK_STREAM if over_tcp else socket.SOCK_DGRAM, source) as s:
        if failure := _connect(s, server, port, timeout):
            return failure
        try:
            s.send(struct.pack("!H", len(wire)) + wire if over_tcp else wire)
            data = _receive(s, begin + timeout, over_tcp)
            if data is None and not over_tcp and (more := longer()):
                data = _receive(s, begin + timeout + more, over_tcp)
        except OSError as error:
            return reply_of(s, error.errno or 0, begin)
    if data is None:
        return Reply(Answer.TIMEOUT, _since(begin))
    return _reply_in(data, query, begin)


def _reply_in(data: bytes, query: dns.message.Message, begin: float) -> Reply:
    """What a resolver's message says to this question."""
    import dns.exception
    import dns.message
    import dns.rcode

    try:
        message = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError) as error:
        return Reply(Answer.ERROR, _since(begin), detail=f"not a DNS answer: {error}")
    if not query.is_response(message):
        return Reply(Answer.ERROR, _since(begin), detail="not an answer to this question")
    rcode = dns.rcode.to_text(message.rcode())
    records = (item for rrset in message.answer for item in rrset if rrset.rdtype == 1)
    addresses = [str(item) for item in islice(records, MOST_ADDRESSES)]
    detail = ", ".join(addresses) if rcode == "NOERROR" else rcode
    return Reply(RCODES.get(rcode, Answer.ERROR), _since(begin), detail=detail)


def asking_socket(address: str, kind: socket.SocketKind, source: str = "", source_port: int = 0) -> socket.socket:
    """A socket that does not block and hears of ICMP errors, of the address's family. Raises OSError."""
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    if s.family == socket.AF_INET:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    if source or source_port:
        s.bind((source, source_port))
    return s


def _connect(s: socket.socket, address: str, port: int, timeout: float) -> Reply | None:
    """None once connected, else the reply."""
    begin = time.monotonic()
    code = s.connect_ex((address, port))
    note_as_own(s)
    if code == errno.EINPROGRESS:
        poll = select.poll()
        poll.register(s, select.POLLOUT)
        if not poll.poll(timeout * 1000):
            return Reply(Answer.TIMEOUT, _since(begin))
        code = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return reply_of(s, code, begin) if code else None


def _receive(s: socket.socket, until: float, over_tcp: bool) -> bytes | None:
    """One DNS message, or None when the time is up. Raises OSError for what an ICMP error became."""
    data = b""
    poll = select.poll()
    poll.register(s, select.POLLIN)
    while (left := until - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            break
        try:
            part = s.recv(65535)
        except BlockingIOError:
            continue
        if not over_tcp:
            return part
        if not part:
            raise OSError(errno.ECONNRESET, "closed")
        data += part
        if len(data) >= 2 and len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
            return data[2:]
    return None


def reply_of(s: socket.socket, code: int, begin: float) -> Reply:
    """What a socket's error says, of a question that began then."""
    icmp = icmp_error(s)
    kind = icmp.partition(" ")[0]
    by_rule = s.type & socket.SOCK_STREAM and kind in PORT_UNREACHABLE  # a host that nobody listens at resets
    if kind in PROHIBITIONS or by_rule:
        answer = Answer.PROHIBITED
    elif code == errno.ECONNREFUSED:
        answer = Answer.REFUSED
    elif code == errno.ECONNRESET:
        answer = Answer.CLOSED
    elif code == errno.ENETUNREACH:
        answer = Answer.NET_UNREACHABLE
    elif code in (errno.EHOSTUNREACH, errno.EACCES):
        answer = Answer.HOST_UNREACHABLE if code == errno.EHOSTUNREACH else Answer.PROHIBITED
    elif code == errno.ETIMEDOUT:
        answer = Answer.TIMEOUT
    else:
        return Reply(Answer.ERROR, _since(begin), icmp, os.strerror(code))
    return Reply(answer, _since(begin), icmp)


def icmp_error(s: socket.socket) -> str:
    """The ICMP error behind a socket error: type/code and who sent it; "" for none."""
    try:
        _, ancillary, _, _ = s.recvmsg(512, 512, MSG_ERRQUEUE)
    except OSError:
        return ""
    for level, kind, data in ancillary:
        asked = (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))
        if asked and len(data) >= EXTENDED_ERROR.size:
            _, origin, icmp_type, code, _, _, _ = EXTENDED_ERROR.unpack_from(data)
            offender = data[EXTENDED_ERROR.size :]
            if origin == 2:  # SO_EE_ORIGIN_ICMP
                sender = socket.inet_ntoa(offender[4:8]) if len(offender) >= 8 else "?"
                return f"{icmp_type}/{code} from {sender}"
            if origin == 3 and len(offender) >= 24:  # SO_EE_ORIGIN_ICMP6
                return f"{icmp_type}/{code} from {socket.inet_ntop(socket.AF_INET6, offender[8:24])}"
    return ""


def _since(begin: float) -> float:
    return round((time.monotonic() - begin) * 1000, 1)
