"""State to Twin: the same links with the same indexes, addresses, routes, settings and rules, in fresh namespaces.

Any part that cannot be loaded voids the twin: one rule too few, and it looks right and is worth nothing.
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterator, Mapping
from functools import partial

from netdoctor.errors import CannotRead
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host
from netdoctor.twin import bridge, packet_programs, vxlan
from netdoctor.twin.capture import sysctls
from netdoctor.twin.descriptors import allow_many
from netdoctor.twin.listening import Responder
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.outside import Outside, await_addresses, await_carriers
from netdoctor.twin.overlay import Overlay
from netdoctor.twin.routing import must, send_back
from netdoctor.twin.state import Link, NetworkState, State
from netdoctor.twin.trust import in_words
from netdoctor.twin.twin import CONTROL, NODE, OUTSIDE, Twin
from netdoctor.twin.wire import conntrack, nfacct, nft_loading, rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, attribute
from netdoctor.twin.wire.rtnl import Request
from netdoctor.twin.wire.uapi.if_link import IFLA, VETH_INFO

FAR_END = 1 << 20
# many questions at once: on a node, ICMP errors are rationed. A limit of 0 would leave nothing to unreachable routes
NO_LIMITS = (
    ("ipv4/icmp_ratemask", "0"),
    ("ipv4/icmp_msgs_per_sec", "1000000"),
    ("ipv4/icmp_msgs_burst", "100000"),
    ("ipv6/icmp/ratelimit", "0"),
)
OF_AN_INTERFACE = re.compile(r"ipv[46]/(?:conf|neigh)/(?!(?:all|default|lo)/)([^/]+)/.+")
ALL_FORWARDING = "ipv6/conf/all/forwarding"
NOT_COMPARED = ("conf/all/forwarding", "conf/lo/forwarding", "addr_gen_mode")
NEIGHBOUR_MILLISECONDS = "5"  # between ARP questions: a dead neighbour is known after 33 ms instead of 3 s
SECONDS = 10.0
LEGACY_LOCK = "/dev/null"  # the machine's own lock is not ours to hold

Settings = dict[str, tuple[tuple[str, str], ...]]  # by namespace: what had to be written in an earlier twin of a state


def build(state: State, settings: Settings | None = None) -> Twin:
    """A twin of this state. Raises CannotRead with the first part that could not be made; closes what was made.

    Twins of one state that are given the same `settings` read the kernel's own settings only once.
    """
    allow_many()
    twin = Twin(state)
    try:
        _Builder(twin, {} if settings is None else settings).build()
    except OSError as error:
        twin.close()
        raise CannotRead.of("twin", error) from error
    except (ValueError, IndexError, KeyError, OverflowError, struct.error) as error:  # a message as no kernel sends it
        twin.close()
        raise CannotRead("twin", f"the network state cannot be copied: {in_words(error)}") from error
    except BaseException:
        twin.close()
        raise
    return twin


class _Builder:
    def __init__(self, twin: Twin, settings: Settings) -> None:
        self.twin, self.settings = twin, settings
        self.state = twin.state
        self.links = self.state.node.interfaces()
        self.pod_ends = {
            (link.peer, link.index): (pod.name, link)
            for pod in self.state.pods
            for link in pod.interfaces()
            if link.kind == "veth"
        }

    def build(self) -> None:
        for kind in {"veth"} | ({"bridge"} & {link.kind for link in self.links}):
            kernel_modules.require(kind, "twin")
        for name in (NODE, OUTSIDE, *(pod.name for pod in self.state.pods)):
            self.twin.namespaces[name] = Namespace.new()
        node = self.twin.namespaces[NODE]
        for namespace in self.twin.namespaces.values():
            namespace.run(_quiet_addresses)
        if self.settings.keys() < self.state.by_name.keys():
            self.fresh = self.twin.namespaces[OUTSIDE].run(sysctls)
        with node.run(lambda: Netlink(ROUTE)) as netlink:
            cables = self._make_links(netlink)
        self.twin.outside = Outside(self.state, self.links, cables, self.twin.namespaces[OUTSIDE])
        ends = {uplink.name: uplink.addresses for uplink in self.twin.outside.uplinks}
        self.twin.overlay = Overlay(self.state, self.vxlans.values(), self.twin.namespaces[OUTSIDE], ends)
        for name, namespace in self._copied():
            self._settle(name, namespace)
        self.twin.outside.connect()
        with node.run(lambda: Netlink(ROUTE)) as netlink:
            # a bridge has its carrier from its ports
            order = sorted(self.links, key=lambda link: link.kind == "bridge")
            await_carriers(netlink, [link.index for link in order])
            bridge.hold_ports(netlink, self.links)
        for name, namespace in self._copied():
            namespace.run(partial(load_filters, self.state.by_name[name]))
            namespace.run(partial(packet_programs.make, self.state.by_name[name].copied_programs))
        self.twin.responder = Responder()
        self.twin.namespaces[OUTSIDE].run(lambda: self.twin.responder.listen(CONTROL))
        for name, namespace in self._copied():
            namespace.run(partial(self.twin.responder.listen_all, self.state.by_name[name].listeners))

    def _copied(self) -> Iterator[tuple[str, Namespace]]:
        """The namespaces of the node and its pods, without the outside."""
        for name, namespace in self.twin.namespaces.items():
            if name != OUTSIDE:
                yield name, namespace

    def _make_links(self, netlink: Netlink) -> dict[int, str]:
        """Make the node's links; the interfaces whose other end is the outside's, with the name of that end."""
        plain = [link for link in self.links if link.name != "lo" and not vxlan.is_copied(link)]
        uplinks = {link.index: f"out{link.index}" for link in plain if self._leads_out(link)}
        must("link", netlink.request([self._made(link) for link in plain]))
        self._make_vxlans(netlink, uplinks)
        options = [option for link in self.links if link.kind == "bridge" for option in bridge.options(link)]
        netlink.request(options)  # one by one: a kernel without VLAN filtering refuses some, and needs none
        self._join_bridges(netlink)
        return uplinks

    def _pod_end(self, link: Link) -> tuple[str, Link] | None:
        """The pod at the other end of a veth, and its interface."""
        return self.pod_ends.get((link.index, link.peer)) if link.kind == "veth" else None

    def _leads_out(self, link: Link) -> bool:
        return link.kind != "bridge" and self._pod_end(link) is None

    def _made(self, link: Link) -> Request:
        """A bridge, a pod's cable, or for whatever else it is a cable to the outside."""
        head = rtnl.ifinfo(link.index) + _named(link)
        if link.kind == "bridge":
            return rtnl.make_link(head + rtnl.linkinfo("bridge"))
        end = self._pod_end(link)
        if end is None:
            return self._cable(link)
        pod, other = end
        descriptor = struct.pack("=i", self.twin.namespaces[pod].descriptor)
        peer = rtnl.ifinfo(other.index) + _named(other) + attribute(IFLA.NET_NS_FD, descriptor)
        return rtnl.make_link(head + rtnl.linkinfo("veth", attribute(VETH_INFO.PEER, peer)))

    def _join_bridges(self, netlink: Netlink) -> None:
        """Give each bridge its ports, with the options that they have."""
        ports = [link for link in self.links if link.master]
        masters = {link.index for link in self.links if link.kind == "bridge"}
        joins = [
            rtnl.change_link(link.index, attribute(IFLA.MASTER, struct.pack("=I", link.master)))
            for link in ports
            if link.master in masters
        ]
        must("bridge port", netlink.request(joins))
        for link in ports:
            netlink.request(bridge.port_options(link))

    def _cable(self, link: Link) -> Request:
        """A link whose other end is the outside's."""
        descriptor = struct.pack("=i", self.twin.namespaces[OUTSIDE].descriptor)
        mtu = struct.pack("=I", max(1500, link.mtu))  # the outside announces an ordinary segment size
        name = attribute(IFLA.IFNAME, f"out{link.index}".encode() + b"\0")
        # of another index than this end: the kernel takes its time over a carrier where they are the same
        peer = rtnl.ifinfo(FAR_END + link.index) + name + attribute(IFLA.MTU, mtu)
        peer += attribute(IFLA.NET_NS_FD, descriptor)
        return rtnl.make_link(
            rtnl.ifinfo(link.index) + _named(link) + rtnl.linkinfo("veth", attribute(VETH_INFO.PEER, peer))
        )

    def _make_vxlans(self, netlink: Netlink, uplinks: dict[int, str]) -> None:
        """Interfaces of VXLAN, once there is what they lie on; each as a cable where the kernel has none."""
        self.vxlans = {}
        for link in self.links:
            if vxlan.is_copied(link):
                asked = vxlan.makes(link, rtnl.ifinfo(link.index) + _named(link), self.links)
                codes = netlink.request(asked) if kernel_modules.present(vxlan.VXLAN) else [errno.EOPNOTSUPP]
                if errno.EOPNOTSUPP in codes:
                    uplinks[link.index] = f"out{link.index}"
                    must("link", netlink.request([self._cable(link)]))
                else:
                    must("link", codes)
                    self.vxlans[link.index] = link

    def _settle(self, name: str, namespace: Namespace) -> None:
        """Settings, links up, addresses, routes, rules and neighbours of one namespace."""
        state = self.state.by_name[name]
        links = state.interfaces()
        namespace.run(lambda: self._write_sysctls(name, {link.name for link in links}))
        with namespace.run(lambda: Netlink(ROUTE)) as netlink:
            must("link up", netlink.request([rtnl.link_up(link.index) for link in links if link.up]))
            send_back(netlink, state, self.twin.outside.devices if state is self.state.node else ())
            if state is self.state.node:
                entries = list(vxlan.forwarding_entries(self.state, self.vxlans))
                must("forwarding entry", netlink.request(entries))
            up = {link.index for link in links if link.up}
            await_addresses(netlink, (own.ip for index, own in state.own_addresses() if index in up))
        if state.conntrack and kernel_modules.present("nf_conntrack_netlink"):  # else only old sockets miss something
            self.twin.tracked += namespace.run(lambda: conntrack.load(state.conntrack))

    def _write_sysctls(self, name: str, links: set[str]) -> None:
        """Write what the calling thread's fresh namespace has otherwise: the same in every twin of a state."""
        if name not in self.settings:
            self.settings[name] = tuple(_write_differing(self.state.by_name[name], links, self.fresh))
        else:
            for key, value in self.settings[name]:
                _write(key, value)
        for key, value in NO_LIMITS:
            _write(key, value)
        for link in links:
            for family in ("ipv4", "ipv6"):
                _write(f"{family}/neigh/{link}/retrans_time_ms", NEIGHBOUR_MILLISECONDS)


def _quiet_addresses() -> None:
    """No automatic IPv6 addresses, which are tentative for a second: those of the node and of pods are copied."""
    for scope in ("default", "all"):
        _write(f"ipv6/conf/{scope}/addr_gen_mode", "1")


def _named(link: Link) -> bytes:
    found = attribute(IFLA.IFNAME, link.name.encode() + b"\0") + attribute(IFLA.MTU, struct.pack("=I", link.mtu))
    if len(link.mac) == 6:
        found += attribute(IFLA.ADDRESS, link.mac)
    group = link.attributes.get(IFLA.GROUP, b"")
    return found + (attribute(IFLA.GROUP, group) if any(group) else b"")


def _write(key: str, value: str) -> None:
    if ".." in key.split("/"):
        raise CannotRead("twin", f"{key} is not a setting of a network namespace")
    try:
        with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:  # noqa: PTH123 - no truncation
            file.write(value)
    except FileNotFoundError:
        return  # a kernel without it, or a link that is a stand-in here
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EINVAL):
            raise
        # the machine's own, shown in every namespace


def _write_differing(state: NetworkState, names: set[str], fresh: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Write what differs from a fresh namespace, and tell it: ip_forward first, because it rewrites conf/*."""
    for key, value in _differing_of_the_namespace(state.sysctls, fresh):
        _write(key, value)
        yield key, value
    for key, value in state.sysctls.items():
        if not _is_of_a_link(key, names) or key.endswith("addr_gen_mode"):
            continue
        if _now(key) != value:  # an earlier one may have changed it
            _write(key, value)
            yield key, value


def _differing_of_the_namespace(wanted: Mapping[str, str], fresh: dict[str, str]) -> list[tuple[str, str]]:
    """The settings of no single interface that differ from a fresh namespace's, in the order to be written in."""
    found = [
        (key, value)
        for key, value in wanted.items()
        if not OF_AN_INTERFACE.fullmatch(key) and fresh.get(key) != value and not key.endswith(NOT_COMPARED)
    ]
    found.sort(key=lambda item: (item[0] != "ipv4/ip_forward", "default" in item[0]))
    forwarding = wanted.get(ALL_FORWARDING)
    if forwarding and forwarding != fresh.get(ALL_FORWARDING):
        found.insert(0, (ALL_FORWARDING, forwarding))
    return found


def _is_of_a_link(key: str, names: set[str]) -> bool:
    """Whether a setting is that of one of these interfaces."""
    interface = OF_AN_INTERFACE.fullmatch(key)
    return interface is not None and interface[1] in names


def _now(key: str) -> str | None:
    try:
        with open(f"/proc/sys/net/{key}", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return None


def load_filters(state: NetworkState) -> None:
    """Load the packet filter's rules into this thread's namespace. Raises CannotRead at the first that fails."""
    host = Host()
    if state.ipsets:
        host.run(["ipset", "restore"], timeout=SECONDS, stdin=state.ipsets)
    wrong = nfacct.load(state.nfacct) + nft_loading.load(state.nftables)
    if wrong:
        raise CannotRead("twin", f"not all rules could be copied: {wrong[0]}")
    for text, program in ((state.legacy, "iptables-legacy-restore"), (state.legacy6, "ip6tables-legacy-restore")):
        if text:
            host.run(["env", f"XTABLES_LOCKFILE={LEGACY_LOCK}", program], timeout=SECONDS, stdin=text)
