"""Reading a namespace's state. Nothing is changed by it: no module gets loaded, no table made."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import re
import socket
import struct
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from netdoctor.errors import CannotRead, NotInstalled
from netdoctor.system.host import Host
from netdoctor.system.kernel_modules import present
from netdoctor.system.traffic import in_namespace
from netdoctor.twin import packet_programs
from netdoctor.twin.settings import NOT_ITS_OWN
from netdoctor.twin.state import Link, Listener, NetworkState, State
from netdoctor.twin.wire import conntrack, nfacct, nftables
from netdoctor.twin.wire.messages import (
    AddressMessage,
    LinkMessage,
    NeighbourMessage,
    NextHopMessage,
    RouteMessage,
    RuleMessage,
)
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.uapi.rtnetlink import RTM, RTM_F

TREES = ("ipv4", "ipv6", "bridge", "netfilter")
# what is no setting, is random, or belongs to the whole machine
NO_SETTING = re.compile(
    r"stable_secret|route/flush|nf_conntrack_(count|max|buckets|expect_max)|/tcp_(mem|fastopen_key|available|allowed"
    r"|congestion|wmem|rmem)|nf_log|udp_mem|/gc_|ip_early|inet_peer|fib_sync|min_pmtu|cipso|calipso|rt_cache"
    r"|retrans_time$|base_reachable_time$|netns_mem"
)
FAMILIES = (socket.AF_INET, socket.AF_INET6)
WAITING = {"tcp": "0A", "udp": "07"}
SECONDS = 5.0
IP_SET_BY_NAME, SO_IP_SET, IPSET_PROTOCOL = 6, 83, 7
HOLE = "netdoctor-hole-"


def capture(pods: Mapping[str, tuple[str, str]], left_out: Iterable[str] = (), node: str = "") -> State:
    """The state of the host's namespace (at path `node`, "" for the caller's) and of pods: name to path and address.

    Raises CannotRead. A pod that goes away meanwhile is left out.
    """
    reading = {name: in_namespace(path, partial(read, name, address)) for name, (path, address) in pods.items()}
    host = in_namespace(node, partial(read, "node", ""))
    found, gone = [], list(left_out)
    for name, future in reading.items():
        try:
            found.append(_result(future))
        except CannotRead:
            if Path(pods[name][0]).exists():
                raise
            gone.append(name)
    return State(_result(host), tuple(found), tuple(gone))


def _result(future: Future[NetworkState]) -> NetworkState:
    try:
        return future.result()
    except OSError as error:
        raise CannotRead.of("network state", error) from error


def read(name: str, address: str) -> NetworkState:
    """The state of the calling thread's namespace. Raises OSError, CannotRead."""
    host = Host()
    with Netlink(ROUTE) as netlink:
        links = _dumped(netlink, RTM.GETLINK, [LinkMessage.request_for()])
        addresses = _dumped(netlink, RTM.GETADDR, [AddressMessage.request_for()])
        routes = _routes(netlink)
        rules = _dumped(netlink, RTM.GETRULE, map(RuleMessage.request_for, FAMILIES))
        neighbours = _dumped(netlink, RTM.GETNEIGH, map(NeighbourMessage.request_for, (*FAMILIES, socket.AF_BRIDGE)))
        nexthops = _nexthops(netlink)
        programs = packet_programs.read(netlink, [Link(body) for body in links])
    tables = [_words(f"/proc/thread-self/net/{name}") for name in ("ip_tables_names", "ip6_tables_names")]
    return NetworkState(
        name=name,
        address=address,
        links=tuple(links),
        addresses=tuple(addresses),
        routes=tuple(routes),
        rules=tuple(rules),
        neighbours=tuple(neighbours),
        nexthops=tuple(nexthops),
        conntrack=conntrack.dump() if present("nf_conntrack_netlink") else (),
        nftables=_nftables(),
        nfacct=nfacct.dump() if present("nfnetlink_acct") else (),
        ipsets=_ipsets(host) if present("ip_set") else "",
        # asked only where there is one: the program would make the tables
        legacy=host.run(["iptables-legacy-save"], timeout=SECONDS) if tables[0] else "",
        legacy6=host.run(["ip6tables-legacy-save"], timeout=SECONDS) if tables[1] else "",
        sysctls=sysctls(),
        listeners=tuple(listeners()),
        programs=programs.others,
        copied_programs=programs.copied,
    )


def _dumped(netlink: Netlink, kind: int, requests: Iterable[bytes]) -> list[bytes]:
    """The answers to each of these requests, one after the other."""
    return [body for request in requests for _, body in netlink.dump(kind, request)]


def _routes(netlink: Netlink) -> list[bytes]:
    """The routes without what routing has learned, such as a path's MTU."""
    found = _dumped(netlink, RTM.GETROUTE, map(RouteMessage.request_for, FAMILIES))
    return [body for body in found if not RouteMessage(body).flags & RTM_F.CLONED]


def _nexthops(netlink: Netlink) -> list[bytes]:
    try:
        return _dumped(netlink, RTM.GETNEXTHOP, [NextHopMessage.request_for()])
    except OSError:  # before Linux 5.3
        return []


def _nftables() -> tuple[nftables.NftObject, ...]:
    if not present("nf_tables"):
        return ()
    try:
        return nftables.dump()
    except OSError as error:
        raise CannotRead.of("nftables", error) from error


def sysctls() -> dict[str, str]:
    """The settings below /proc/sys/net that belong to a namespace, without what is not a setting."""
    found = {}
    root = "/proc/sys/net/"
    for tree in TREES:
        for folder, _, names in os.walk(root + tree):
            for name in names:
                path = f"{folder}/{name}"
                if NO_SETTING.search(path) or path.removeprefix(root) in NOT_ITS_OWN:
                    continue
                try:
                    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - 700 of them
                        found[path.removeprefix(root)] = file.read().strip()
                except OSError:  # write-only, or gone with its interface
                    continue
    return found


def listeners() -> list[Listener]:
    """What waits for connections or datagrams in the calling thread's namespace."""
    found = set()
    for protocol, waiting in WAITING.items():
        for suffix in ("", "6"):
            for line in _lines(f"/proc/thread-self/net/{protocol}{suffix}")[1:]:
                _, local, _, state, *_ = line.split()
                if state != waiting:
                    continue
                address, _, port = local.partition(":")
                raw = b"".join(
                    struct.pack("=I", int(address[start : start + 8], 16)) for start in range(0, len(address), 8)
                )
                ip = ipaddress.ip_address(raw)
                if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
                    ip = ip.ipv4_mapped
                found.add(Listener(protocol, str(ip), int(port, 16)))
    return sorted(found, key=lambda x: (x.protocol, x.port, x.address))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _words(path: str) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]


def _ipsets(host: Host) -> str:
    """`ipset save` in the order of the kernel's indexes: iptables' match refers to a set by its index."""
    try:
        saved = host.run(["ipset", "save"], timeout=SECONDS)
    except NotInstalled:
        return ""
    if not saved.strip():
        return ""
    by_index, members = {}, []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for line in saved.splitlines():
            words = line.split()
            if words[:1] == ["create"]:
                by_index[_index(raw, words[1])] = line
            else:
                members.append(line)
    ordered = [by_index.get(i, f"create {HOLE}{i} hash:ip") for i in range(max(by_index) + 1)]
    return "\n".join([*ordered, *members]) + "\n"


def _index(raw: socket.socket, name: str) -> int:
    buffer = ctypes.create_string_buffer(struct.pack("II32s", IP_SET_BY_NAME, IPSET_PROTOCOL, name.encode()), 40)
    length = ctypes.c_int(40)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(raw.fileno(), socket.SOL_IP, SO_IP_SET, buffer, ctypes.byref(length)):
        raise CannotRead.of(f"ipset {name}", ctypes.get_errno())
    return int(struct.unpack_from("=H", buffer.raw, 8)[0])
