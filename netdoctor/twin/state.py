"""What is copied of a node's network: the kernel's own messages, and what it tells in /proc. Plain data."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from netdoctor.twin.wire.messages import AddressMessage, LinkMessage
from netdoctor.twin.wire.netlink import by_kind, text, u32
from netdoctor.twin.wire.nftables import TABLE, NftObject
from netdoctor.twin.wire.uapi.if_link import IFF, IFLA, IFLA_INFO, IFLA_XDP

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
        message = LinkMessage(body)
        self.attributes = message.attributes
        self.index: int = message.index
        self.flags: int = message.flags
        self.name = text(self.attributes[IFLA.IFNAME])
        info = by_kind(self.attributes.get(IFLA.LINKINFO, b""))
        self.kind = text(info[IFLA_INFO.KIND]) if IFLA_INFO.KIND in info else ""
        self.data = info.get(IFLA_INFO.DATA, b"")
        self.port_data = info.get(IFLA_INFO.SLAVE_DATA, b"")  # as a port of its master
        self.mac = self.attributes.get(IFLA.ADDRESS, b"")
        self.mtu = u32(self.attributes[IFLA.MTU])
        self.peer = u32(self.attributes[IFLA.LINK]) if IFLA.LINK in self.attributes else 0
        self.master = u32(self.attributes[IFLA.MASTER]) if IFLA.MASTER in self.attributes else 0
        self.carrier = self.attributes.get(IFLA.CARRIER, b"\1")[0] == 1
        self.xdp = by_kind(self.attributes.get(IFLA.XDP, b"")).get(IFLA_XDP.ATTACHED, b"\0")[0] != 0

    @property
    def up(self) -> bool:
        """Whether it is administratively up."""
        return bool(self.flags & IFF.UP)


@dataclass(frozen=True, slots=True)
class CopiedProgram:
    """A queue or filter of traffic control or an IPsec policy: what makes it in a copy, what removes it, by hand too.

    `by_hand`: the form of a command, and its values.
    """

    says: str
    protocol: int  # of netlink
    make: tuple[tuple[int, bytes, int], ...]
    remove: tuple[int, bytes, int]
    by_hand: tuple[str, tuple[object, ...]]


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
    copied_programs: tuple[CopiedProgram, ...] = ()  # those that are; a recording has none

    @property
    def all_programs(self) -> tuple[str, ...]:
        """What works on packets beside the packet filter, whether a copy has it or not."""
        return (*self.programs, *dict.fromkeys(each.says for each in self.copied_programs))

    def interfaces(self) -> list[Link]:
        """The links, read."""
        return [Link(body) for body in self.links]

    def own_addresses(self) -> Iterator[tuple[int, ipaddress.IPv4Interface | ipaddress.IPv6Interface]]:
        """Interface index and address of each address."""
        for body in self.addresses:
            own = AddressMessage(body)
            if len(own.address) in (4, 16):
                yield own.index, ipaddress.ip_interface((own.address, own.prefix_length))

    def has_table(self, family: str, table: str) -> bool:
        """Whether the nftables ruleset has this table."""
        return any(each.kind == TABLE and each.place[:2] == (family, table) for each in self.nftables)


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
        return f"not set in a copy, because they are not known to belong to a network namespace: {names}{more}"


def address_of(raw: bytes) -> str:
    """An address of 4 or 16 bytes as text."""
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
