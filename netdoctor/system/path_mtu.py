"""Whether large packets pass: echo requests that must not be fragmented, and a stream in full segments.

Both are sent in the calling thread's network namespace. A path that is narrower than its links says so by an ICMP error
(3/4, fragmentation needed); where that error is lost too, the packets vanish.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import termios
import time

from netdoctor.system.traffic import Answer, Reply, icmp_error

IP_MTU_DISCOVER, PROBE, IP_MTU, IP_RECVERR = 10, 3, 14, 11  # in.h; PROBE: must not be fragmented, whatever is cached
ECHO_REQUEST, ECHO_REPLY = 8, 0
HEADERS = 28  # bytes of IPv4 and ICMP
NEEDS_FRAGMENTS = "3/4"
LARGEST = 65535  # bytes of a DNS message
MESSAGES = 64  # of ICMP that are looked at for the reply
STEP = 0.02  # seconds between looks at what is not yet acknowledged


def link_mtu(address: str) -> int:
    """The largest packet of IPv4 that the route to an address takes from here, 0 where there is no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PROBE)
        try:
            s.connect((address, 9))  # sends nothing
        except OSError:
            return 0
        return int(s.getsockopt(socket.IPPROTO_IP, IP_MTU))


def ask_echo(address: str, size: int, timeout: float) -> Reply:
    """Whether an echo request of so many bytes, headers included, is answered; `icmp`: who calls it too large."""
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PROBE)
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        mark = struct.unpack("!I", os.urandom(4))[0]
        try:
            s.connect((address, 0))
            s.send(_echo_request(mark, size))
            return _echo_reply(s, mark, begin, timeout)
        except OSError as error:
            return _failed(s, error, begin)


def padded_question(size: int) -> bytes:
    """A question to a resolver of about so many bytes, as it is sent over TCP (RFC 7830, padding)."""
    import dns.edns
    import dns.message

    padding = dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(size))
    wire = dns.message.make_query("example.com.", "A", use_edns=0, options=[padding]).to_wire(max_size=LARGEST)
    return struct.pack("!H", len(wire)) + wire


def ask_stream(address: str, port: int, message: bytes, timeout: float, *, segment: int = 0) -> Reply:
    """Whether a long message is acknowledged after its first two bytes were; `segment`: the most bytes in one packet.

    CLOSED: the far end ended it, so it arrived. REFUSED: not even the first bytes were acknowledged.
    """
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        if segment:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        try:
            s.connect((address, port))
            s.send(message[:2])
            if not _acknowledged(s, begin + timeout):
                return Reply(Answer.REFUSED, _since(begin))
            again = time.monotonic()
            s.send(message[2:])
            arrived = _acknowledged(s, again + timeout)
        except TimeoutError:
            return Reply(Answer.REFUSED, _since(begin))
        except OSError as error:
            reset = error.errno in (errno.ECONNRESET, errno.EPIPE)
            return Reply(Answer.CLOSED if reset else Answer.REFUSED, _since(begin))
        return Reply(Answer.OK if arrived else Answer.TIMEOUT, _since(again))


def _acknowledged(s: socket.socket, until: float) -> bool:
    """Whether everything that was sent is acknowledged in time. Raises OSError where the far end has reset it."""
    while True:
        (waiting,) = struct.unpack("I", fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)))
        if code := s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        if waiting == 0:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(STEP)


def _echo_request(mark: int, size: int) -> bytes:
    payload = struct.pack("!I", mark) + bytes(max(0, size - HEADERS - 4))
    head = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, mark & 0xFFFF, 1)
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, _checksum(head + payload), mark & 0xFFFF, 1) + payload


def _checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _echo_reply(s: socket.socket, mark: int, begin: float, timeout: float) -> Reply:
    """The reply with this mark; far ends may shorten it. Raises OSError for what an ICMP error became."""
    poll = select.poll()
    poll.register(s, select.POLLIN)
    for _ in range(MESSAGES):
        left = max(0.0, begin + timeout - time.monotonic())  # 0 where this thread woke too late: what came is read
        if not poll.poll(left * 1000):
            break
        packet = s.recv(65535)
        message = packet[(packet[0] & 0xF) * 4 :]
        wanted = struct.pack("!H", mark & 0xFFFF), struct.pack("!I", mark)
        if message[:1] == bytes([ECHO_REPLY]) and (message[4:6], message[8:12]) == wanted:
            return Reply(Answer.OK, _since(begin))
    return Reply(Answer.TIMEOUT, _since(begin))


def _failed(s: socket.socket, error: OSError, begin: float) -> Reply:
    if error.errno == errno.EMSGSIZE:
        return Reply(Answer.ERROR, _since(begin), icmp_error(s) or NEEDS_FRAGMENTS, "too large")
    return Reply(Answer.ERROR, _since(begin), icmp_error(s), os.strerror(error.errno or 0))


def _since(begin: float) -> float:
    return round((time.monotonic() - begin) * 1000, 1)
