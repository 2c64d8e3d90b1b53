"""What is copied of a node's network: the kernel's own messages, and what it tells in /proc. Plain data."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from netdoctor.errors import BadInput
from netdoctor.system.foreign_text import to_address
from netdoctor.twin.netlink import by_kind, text, u32
from netdoctor.twin.nftables import NftObject

IFINFO, IFADDR, RTMSG, NDMSG = 16, 8, 12, 12  # sizes of rtnetlink's fixed headers
IFF_UP, IFF_RUNNING = 0x1, 0x40
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_GROUP, IFLA_CARRIER, IFLA_XDP = 27, 33, 43
NUD_FAILED, NUD_INCOMPLETE, NUD_PERMANENT, NUD_NOARP = 0x20, 0x01, 0x80, 0x40
NUD_VALID = 0xDE
MESSAGES = ("links", "addresses", "routes", "rules", "neighbours", "nexthops", "conntrack")
LARGEST = 96 << 20  # bytes of all messages of a recording, unpacked
NAMED = 3  # settings that are left out
APIECE = 64  # bytes that each of them takes in memory besides


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits: protocol (tcp, udp), address (0.0.0.0 or :: for all), port."""

    protocol: str
    address: str
    port: int


class Link:
    """An interface, read from an RTM_NEWLINK message."""

    def __init__(self, body: bytes) -> None:
        self.attributes = by_kind(body, IFINFO)
        self.index: int = struct.unpack_from("=i", body, 4)[0]
        self.flags: int = struct.unpack_from("=I", body, 8)[0]
        self.name = text(self.attributes[IFLA_IFNAME])
        info = by_kind(self.attributes.get(IFLA_LINKINFO, b""))
        self.kind = text(info[1]) if 1 in info else ""
        self.data = info.get(2, b"")
        self.port_data = info.get(5, b"")  # as a port of its master
        self.mac = self.attributes.get(IFLA_ADDRESS, b"")
        self.mtu = u32(self.attributes[IFLA_MTU])
        self.peer = u32(self.attributes[IFLA_LINK]) if IFLA_LINK in self.attributes else 0
        self.master = u32(self.attributes[IFLA_MASTER]) if IFLA_MASTER in self.attributes else 0
        self.carrier = self.attributes.get(IFLA_CARRIER, b"\1")[0] == 1
        self.xdp = by_kind(self.attributes.get(IFLA_XDP, b"")).get(2, b"\0")[0] != 0

    @property
    def up(self) -> bool:
        """Whether it is administratively up."""
        return bool(self.flags & IFF_UP)


@dataclass(frozen=True, slots=True)
class NetworkState:
    """One network namespace. Netlink messages are bodies as dumped, header of the protocol included."""

    name: str  # "node", or namespace/pod
    address: str  # the pod's; the node's own; "" where it has none
    links: tuple[bytes, ...]
    addresses: tuple[bytes, ...]
    routes: tuple[bytes, ...]
    rules: tuple[bytes, ...]
    neighbours: tuple[bytes, ...]
    nexthops: tuple[bytes, ...]
    conntrack: tuple[bytes, ...]
    nftables: tuple[NftObject, ...]
    nfacct: tuple[str, ...]
    ipsets: str  # as `ipset save`, in the order of the kernel's indexes, holes filled
    legacy: str  # as iptables-legacy-save, "" where the kernel has no such table
    legacy6: str
    sysctls: Mapping[str, str]  # below /proc/sys/net
    listeners: tuple[Listener, ...]
    programs: tuple[str, ...]  # what is not copied: tc filters and queues, XDP, IPsec

    def interfaces(self) -> list[Link]:
        """The links, read."""
        return [Link(body) for body in self.links]

    def own_addresses(self) -> Iterator[tuple[int, ipaddress.IPv4Interface | ipaddress.IPv6Interface]]:
        """Interface index and address of each address."""
        for body in self.addresses:
            found = by_kind(body, IFADDR)
            raw = found.get(2, found.get(1, b""))
            if len(raw) in (4, 16):
                yield u32(body[4:8]), ipaddress.ip_interface((raw, body[1]))

    def has_table(self, family: str, table: str) -> bool:
        """Whether the nftables ruleset has this table."""
        return any(each.kind == 0 and each.place[:2] == (family, table) for each in self.nftables)


@dataclass(frozen=True)
class State:
    """A node's whole network state at one moment: the host's namespace and those of its pods."""

    node: NetworkState
    pods: tuple[NetworkState, ...]
    left_out: tuple[str, ...] = ()  # pods that were not captured
    not_set: tuple[str, ...] = ()  # settings of a recording that are not known to be a namespace's own

    @cached_property
    def by_name(self) -> dict[str, NetworkState]:
        """The node as "node" and each pod by its name."""
        return {each.name: each for each in (self.node, *self.pods)}

    @cached_property
    def pod_addresses(self) -> frozenset[str]:
        """Every address of a pod that was captured."""
        return frozenset(
            str(address.ip) for pod in self.pods for _, address in pod.own_addresses() if not address.ip.is_loopback
        )

    @property
    def not_set_in_words(self) -> str:
        """Which settings of a recording a copy does not have, and why; "" where it has all."""
        if not self.not_set:
            return ""
        more = f" and {len(self.not_set) - NAMED} more" if len(self.not_set) > NAMED else ""
        names = ", ".join(name[:60] for name in self.not_set[:NAMED])
        return f"not set in a copy, for they are not known to be a network namespace's own settings: {names}{more}"

    def recorded(self) -> dict[str, Any]:
        """As JSON: messages packed and in base64, the rest as it is."""
        return {
            "left_out": list(self.left_out),
            "namespaces": [_recorded(each) for each in (self.node, *self.pods)],
        }

    @classmethod
    def replayed(cls, stored: Any) -> State:
        """What `recorded` gave. Raises BadInput for anything else."""
        from netdoctor.twin.trust import check, in_words

        try:
            room = _Room(LARGEST)
            namespaces = [_replayed(each, room) for each in stored["namespaces"]]
            check(namespaces)
            own, not_set = _only_settings_of_a_namespace(namespaces)
            return cls(own[0], tuple(own[1:]), tuple(str(name) for name in stored["left_out"]), not_set)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError, struct.error, zlib.error, AttributeError,
                RecursionError) as error:  # fmt: skip
            raise BadInput(f"the recording's network state is damaged: {in_words(error)}") from error


def _only_settings_of_a_namespace(states: list[NetworkState]) -> tuple[list[NetworkState], tuple[str, ...]]:
    """The states without other settings, and the names of those."""
    from netdoctor.twin.settings import is_of_a_namespace

    others = {key for state in states for key in state.sysctls if not is_of_a_namespace(key)}
    own = [
        replace(state, sysctls={key: value for key, value in state.sysctls.items() if key not in others})
        for state in states
    ]
    return own, tuple(sorted(others))


def _recorded(state: NetworkState) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": state.name, "address": state.address, "nfacct": list(state.nfacct), "ipsets": state.ipsets,
        "legacy": state.legacy, "legacy6": state.legacy6, "sysctls": dict(state.sysctls),
        "listeners": [asdict(listener) for listener in state.listeners], "programs": list(state.programs),
    }  # fmt: skip
    for name in MESSAGES:
        plain[name] = _pack(getattr(state, name))
    plain["nftables"] = _pack(bytes([each.kind, each.family]) + each.body for each in state.nftables)
    return plain


class _Room:
    """Bytes that a recording may still take in memory."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int) -> None:
        """Raises ValueError where there is not so much left."""
        self.left -= size
        if self.left < 0:
            raise ValueError("it is too large")


def _replayed(stored: Any, room: _Room) -> NetworkState:
    plain: dict[str, Any] = {name: stored[name] for name in ("name", "address", "ipsets", "legacy", "legacy6")}
    if not all(isinstance(value, str) for value in plain.values()):
        raise TypeError
    messages: dict[str, Any] = {name: tuple(_unpack(stored[name], room)) for name in MESSAGES}
    return NetworkState(
        **plain,
        **messages,
        nftables=tuple(NftObject(part[0], part[1], part[2:]) for part in _unpack(stored["nftables"], room)),
        nfacct=tuple(str(name) for name in stored["nfacct"]),
        sysctls={str(key): str(value) for key, value in stored["sysctls"].items()},
        listeners=tuple(
            Listener(str(x["protocol"]), str(to_address(x["address"])), int(x["port"])) for x in stored["listeners"]
        ),
        programs=tuple(str(name) for name in stored["programs"]),
    )


def _pack(parts: Iterable[bytes]) -> str:
    """Each part with its length before it, compressed, as text."""
    data = b"".join(struct.pack("!I", len(part)) + part for part in parts)
    return base64.b64encode(zlib.compress(data, 6)).decode()


def _unpack(stored: str, room: _Room) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(stored, validate=True), room.left + 1)
    room.take(len(data))
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError("cut short, or too large")
    offset = 0
    while offset < len(data):
        (length,) = struct.unpack_from("!I", data, offset)
        if not length or offset + 4 + length > len(data):
            raise ValueError("cut short")
        room.take(APIECE)
        yield data[offset + 4 : offset + 4 + length]
        offset += 4 + length


def address_of(raw: bytes) -> str:
    """An address of 4 or 16 bytes as text."""
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def size_of(state: State) -> int:
    """Bytes of a recording of it."""
    return len(json.dumps(state.recorded()))
