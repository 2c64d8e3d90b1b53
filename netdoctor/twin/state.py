"""What is copied of a node's network: the kernel's own messages, and what it tells in /proc. Plain data."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from netdoctor.twin.wire.netlink import by_kind, text, u32
from netdoctor.twin.wire.nftables import NftObject

IFINFO, IFADDR, RTMSG, NDMSG = 16, 8, 12, 12  # sizes of rtnetlink's fixed headers
IFF_UP, IFF_RUNNING = 0x1, 0x40
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_GROUP, IFLA_CARRIER, IFLA_XDP = 27, 33, 43
NUD_FAILED, NUD_INCOMPLETE, NUD_PERMANENT, NUD_NOARP = 0x20, 0x01, 0x80, 0x40
NUD_VALID = 0xDE
MESSAGES = ("links", "addresses", "routes", "rules", "neighbours", "nexthops", "conntrack")
NAMED = 3  # settings that are left out


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


def address_of(raw: bytes) -> str:
    """An address of 4 or 16 bytes as text."""
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
