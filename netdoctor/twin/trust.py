"""What a recording may hold: it comes from somebody else, and what is in it is written, loaded and run on this machine.

Everything that leaves a namespace, names a file, or is an option of a program is refused, before any copy is made.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable

from netdoctor.system.foreign_text import to_address
from netdoctor.twin import limits
from netdoctor.twin.capture import NO_SETTING
from netdoctor.twin.state import Link, NetworkState
from netdoctor.twin.wire.messages import (
    AddressMessage,
    LinkMessage,
    NeighbourMessage,
    NextHopMessage,
    RouteMessage,
    RuleMessage,
)
from netdoctor.twin.wire.netlink import by_kind
from netdoctor.twin.wire.nfnetlink import NFGENMSG
from netdoctor.twin.wire.uapi.nfnetlink import CTA

SETTING = re.compile(r"(?:ipv4|ipv6|bridge|netfilter)(?:/[^/\0\s]+)+")
LINK_NAME = re.compile(r"[^\s/\"'\\{};$`\0]{1,15}")
COUNTER = re.compile(r"[\w.:-]{1,31}")
HEADERS = {
    "links": LinkMessage.HEADER,
    "addresses": AddressMessage.HEADER,
    "routes": RouteMessage.HEADER,
    "rules": RuleMessage.HEADER,
    "neighbours": NeighbourMessage.HEADER,
    "nexthops": NextHopMessage.HEADER,
    "conntrack": NFGENMSG,
}
FAMILIES = (socket.AF_INET, socket.AF_BRIDGE, socket.AF_INET6)
LONGEST = 65_000
SET_LINE = re.compile(r"(?:create|add) [^\s\"-]\S* .+")
# as iptables-save prints: tables, chains, rules; an option of one letter, or of a match
LEGACY_LINE = re.compile(r"#.*|\*\w+|COMMIT|:\S+ (?:ACCEPT|DROP|-)(?: \[\d+:\d+\])?|(?:\[\d+:\d+\] )?-A [^\s-]\S* ?.*")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
LEGACY_OPTION = re.compile(r"-[AsdiopmjgfI46]|--[a-z][a-z0-9-]*|-\d\S*")
LOADS_PROGRAMS = "--mod"  # --modprobe, however it is cut short


def check(states: Iterable[NetworkState]) -> None:
    """Raise ValueError with what is wrong."""
    names: set[str] = set()
    states = list(states)
    if not states:
        raise ValueError("it has no namespace")
    limits.check(states)
    for place, state in enumerate(states):
        if (state.name == "node") != (place == 0) or state.name in names or state.name == "outside":
            raise ValueError(f"namespace {place} is called {state.name!r:.40}")
        names.add(state.name)
        _settings(state)
        _messages(state)
        _texts(state)


def _settings(state: NetworkState) -> None:
    for key, value in state.sysctls.items():
        parts = key.split("/")
        if not SETTING.fullmatch(key) or {".", ".."} & {*parts} or "\0" in value or NO_SETTING.search(key):
            raise ValueError(f"{key!r:.60} is not a setting of a network namespace")
        key.encode(), value.encode()
    for listener in state.listeners:
        if listener.protocol not in ("tcp", "udp") or not 0 < listener.port <= 65535:
            raise ValueError(f"a listener at {listener.protocol!r:.10} {listener.port}")


def _messages(state: NetworkState) -> None:
    _lengths(state)
    _links(state)
    _families(state)
    _connections(state)
    list(state.own_addresses())
    _nftables(state)


def _lengths(state: NetworkState) -> None:
    for kind, header in HEADERS.items():
        for body in getattr(state, kind):
            if not header.size <= len(body) <= LONGEST:
                raise ValueError(f"a message of {len(body)} bytes among the {kind}")


def _links(state: NetworkState) -> None:
    for body in state.links:
        name = Link(body).name
        if not LINK_NAME.fullmatch(name) or name in (".", ".."):
            raise ValueError(f"an interface called {name!r:.40}")


def _families(state: NetworkState) -> None:
    """Messages are of known families, and neighbours have addresses of theirs."""
    for body in (*state.routes, *state.rules, *state.neighbours, *state.addresses):
        if body[0] not in FAMILIES:
            raise ValueError(f"a message of family {body[0]}")
    for body in state.neighbours:
        known = NeighbourMessage(body)
        if known.family != socket.AF_BRIDGE and len(known.destination) not in (4, 16):
            raise ValueError("a neighbour without an address")


def _connections(state: NetworkState) -> None:
    directions = {CTA.TUPLE_ORIG, CTA.TUPLE_REPLY}
    if not all(directions <= by_kind(body, NFGENMSG.size).keys() for body in state.conntrack):
        raise ValueError("a tracked connection without its two directions")


def _nftables(state: NetworkState) -> None:
    for each in state.nftables:
        each.place  # noqa: B018 - a rule without a table would show only when it is loaded
        if len(each.body) > LONGEST:
            raise ValueError(f"an nftables object of {len(each.body)} bytes")


def _texts(state: NetworkState) -> None:
    if state.address:
        to_address(state.address)
    for name in state.nfacct:
        if not COUNTER.fullmatch(name) or not name.isascii():
            raise ValueError(f"a counter called {name!r:.40}")
    for line in state.ipsets.splitlines():
        if not _is_of_ipset(line):
            raise ValueError(f"ipset {line!r:.60}")
    for line in (*state.legacy.splitlines(), *state.legacy6.splitlines()):
        if line and not _is_of_iptables(line):
            raise ValueError(f"iptables-legacy {line!r:.60}")


def _is_of_ipset(line: str) -> bool:
    """Whether it makes a set or adds to one, and has no option."""
    if not SET_LINE.fullmatch(line):
        return False
    return not any(word.startswith("-") for word in QUOTED.sub("", line).split())


def _is_of_iptables(line: str) -> bool:
    """Whether iptables-save prints such a line, and no option in it has a program loaded."""
    if not LEGACY_LINE.fullmatch(line):
        return False
    if line.startswith(("#", ":")):
        return True
    rule = line.partition("] ")[2] if line.startswith("[") else line
    options = [word for word in QUOTED.sub('""', rule).split() if word.startswith("-")]
    return all(LEGACY_OPTION.fullmatch(word) and not word.startswith(LOADS_PROGRAMS) for word in options)


def in_words(error: Exception) -> str:
    """What was wrong, without the names of Python's errors."""
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return str(error)
    if isinstance(error, (struct.error, IndexError)):
        return "a message is cut short"
    return "a part is missing" if isinstance(error, KeyError) else "a part is not of the expected kind"
