"""What is beyond the node, as little of it as a question needs.

It owns the node's gateways and neighbours that are not known to be dead, and the far end of the flow that is asked; it
knows the way back to the node's own uplink addresses, and to pods only where the flow stays in the cluster. An outside
that answered for any address would make broken nodes look healthy.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.routes import gateways
from netdoctor.twin.state import Link, State
from netdoctor.twin.uplinks import uplink_ports
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import NUD_VALID, LinkMessage, NeighbourMessage, RouteMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink, name_of
from netdoctor.twin.wire.rtnl import Address, Request
from netdoctor.twin.wire.uapi.if_link import IFF
from netdoctor.twin.wire.uapi.rtnetlink import NUD, RTM, RTN

LOOPBACK = 1
READY_SECONDS, PAUSE = 1.2, 0.002  # the kernel may take a second over a carrier


@dataclass(frozen=True, slots=True)
class Uplink:
    """One interface of the node whose other end is the outside's."""

    link: Link
    device: Link  # which has the addresses: the link itself, or the bridge that it is a port of
    name: str  # of the outside's end
    index: int  # of the outside's end
    addresses: tuple[Address, ...]  # the node's, at it


class Outside:
    """The namespace behind every uplink."""

    def __init__(self, state: State, links: list[Link], ends: dict[int, str], namespace: Namespace) -> None:
        self._state = state
        self._namespace = namespace
        indexes = namespace.run(link_indexes)
        own: dict[int, list[Address]] = {}
        for index, address in state.node.own_addresses():
            own.setdefault(index, []).append(address.ip)
        bridges, self.uplinks = uplink_ports(state), []
        for link in links:
            if end := ends.get(link.index):
                device = bridges.get(link.index, link)
                held = (*own.get(link.index, ()), *(own.get(device.index, ()) if device is not link else ()))
                self.uplinks.append(Uplink(link, device, end, indexes[end], held))
        self.devices = frozenset(each.index for uplink in self.uplinks for each in (uplink.link, uplink.device))
        alive, dead = self._neighbours()
        self.dead = frozenset(dead)
        self._alive = alive

    def _neighbours(self) -> tuple[dict[Address, int], set[Address]]:
        """Gateways and neighbours on uplinks, with the node's interface; and those that did not answer the node."""
        alive = self._gateways()
        dead: set[Address] = set()
        for body in self._state.node.neighbours:
            known = NeighbourMessage(body)
            of_ip = known.family in (socket.AF_INET, socket.AF_INET6) and len(known.destination) in (4, 16)
            if known.index not in self.devices or not of_ip:
                continue
            address = ipaddress.ip_address(known.destination)
            if known.state & (NUD.FAILED | NUD.INCOMPLETE):
                dead.add(address)
            elif known.state & NUD_VALID and not address.is_multicast:
                alive[address] = known.index
        return {address: index for address, index in alive.items() if address not in dead}, dead

    def _gateways(self) -> dict[Address, int]:
        """The gateways of routes by uplinks, with the node's interface."""
        found = {}
        for body in self._state.node.routes:
            for gateway, index in gateways(body):
                if index in self.devices:
                    found[gateway] = index
        return found

    def connect(self) -> None:
        """Set the links up, and give the outside its addresses and its ways to the node. Raises CannotRead."""
        self._namespace.run(self._settings)
        asked: list[Request] = [rtnl.link_up(LOOPBACK)]
        # a cable that is out is out here too; of an interface that is down nobody knows
        plugged = [u for u in self.uplinks if u.link.carrier or not u.link.up]
        asked += [rtnl.link_up(uplink.index) for uplink in plugged]
        for uplink in plugged:
            for address in uplink.addresses:
                if address.is_loopback:
                    continue
                if not address.is_link_local or address.version == 4:
                    host = ipaddress.ip_network(address)
                    asked.append(rtnl.route(host, uplink.index))
                if len(uplink.device.mac) == 6:  # a tunnel has none
                    asked.append(rtnl.neighbour(address, uplink.index, uplink.device.mac))
        self._request(asked)
        self.own(self._alive)

    def _settings(self) -> None:
        for name in ("all", "default", *(u.name for u in self.uplinks)):
            for key, value in (("rp_filter", "0"), ("accept_local", "1"), ("arp_ignore", "0")):
                write_setting(f"ipv4/conf/{name}/{key}", value)
            write_setting(f"ipv6/conf/{name}/accept_dad", "0")
            write_setting(f"ipv6/conf/{name}/accept_ra", "0")  # a solicitation would tell who its neighbour is
        limits = (("ipv4/icmp_ratemask", "0"), ("ipv4/icmp_msgs_per_sec", "1000000"), ("ipv6/icmp/ratelimit", "0"))
        for key, value in limits:
            write_setting(key, value)

    def own(self, addresses: Iterable[Address]) -> None:
        """Own these, unless the node knows that they are dead; anything of the node's or a pod's is never owned."""
        inside = {address.ip for _, address in self._state.node.own_addresses()}
        pods = {ipaddress.ip_address(x) for x in self._state.pod_addresses}
        asked, taken = [], []
        for address in addresses:
            if address in self.dead or address in inside or address in pods:
                continue
            taken.append(address)
            if address.version == 4:
                asked.append(rtnl.own(address, LOOPBACK))
            else:  # a neighbour solicitation is answered only where the address is
                asked += [rtnl.own(address, uplink.index) for uplink in self.uplinks]
        self._request(asked)
        with self._namespace.run(lambda: Netlink(ROUTE)) as netlink:
            await_addresses(netlink, taken)

    def know_pods(self) -> None:
        """Know the way to the node's pods, as other nodes do: by the node's first address of the same family."""
        asked = []
        for text in self._state.pod_addresses:
            pod = ipaddress.ip_address(text)
            for uplink in self.uplinks:
                node = next((a for a in uplink.addresses if a.version == pod.version and not a.is_link_local), None)
                if node:
                    asked.append(rtnl.route(ipaddress.ip_network(pod), uplink.index, node))
                    break
        self._request(asked)

    def know(self, address: Address, peer: Address) -> None:
        """Know the way to an address that the node has elsewhere, by an uplink that leads to this peer."""
        found = None
        for uplink in self.uplinks:
            for index, own in self._state.node.own_addresses():
                if own.version != address.version or own.ip.is_link_local:
                    continue
                if index in (uplink.link.index, uplink.device.index) and (found is None or peer in own.network):
                    found = (uplink, own.ip)
        if found:
            uplink, gateway = found
            self._request([rtnl.route(ipaddress.ip_network(address), uplink.index, gateway)])

    def knows(self, address: Address) -> bool:
        """Whether it has a way to this address of the node's."""
        return any(address in uplink.addresses for uplink in self.uplinks)

    def _request(self, asked: list[Request]) -> None:
        with self._namespace.run(lambda: Netlink(ROUTE)) as netlink:
            for (kind, _, _), code in zip(asked, netlink.request(asked), strict=True):
                if code and kind != RTM.NEWADDR:
                    raise CannotRead("twin", f"the outside could not be made ({kind}): {name_of(code)}")


def link_indexes() -> dict[str, int]:
    """The links of the calling thread's namespace by name."""
    with Netlink(ROUTE) as netlink:
        links = [Link(body) for _, body in netlink.dump(RTM.GETLINK, LinkMessage.request_for())]
    return {link.name: link.index for link in links}


def await_addresses(netlink: Netlink, addresses: Iterable[Address]) -> None:
    """Wait until what is sent to these is taken in: of IPv6 addresses, a worker of the kernel's sees to that."""
    wanted = {address.packed for address in addresses if address.version == 6}
    end = time.monotonic() + READY_SECONDS
    while wanted and time.monotonic() < end:
        try:
            dumped = netlink.dump(RTM.GETROUTE, RouteMessage.request_for(socket.AF_INET6))
        except OSError:  # a kernel without IPv6
            return
        routes = [RouteMessage(body) for _, body in dumped]
        wanted -= {route.destination for route in routes if route.type == RTN.LOCAL}
        if wanted:
            time.sleep(PAUSE)


def await_carriers(netlink: Netlink, indexes: Sequence[int]) -> None:
    """Wait until these links can send: one whose other end comes up drops what it is given until a worker saw it.

    The kernel does that work at once for a link that is asked for (Linux 6.8 and later).
    """
    end = time.monotonic() + READY_SECONDS
    while True:
        netlink.request([(RTM.GETLINK, rtnl.ifinfo(index), 0) for index in indexes])
        links = [Link(body) for _, body in netlink.dump(RTM.GETLINK, LinkMessage.request_for())]
        late = any(x.index in indexes and x.up and x.carrier and not x.flags & IFF.RUNNING for x in links)
        if not late or time.monotonic() > end:
            return
        time.sleep(PAUSE)


def write_setting(key: str, value: str) -> None:
    """Set a sysctl of the calling thread's namespace, by its path below /proc/sys/net, where it has it."""
    try:
        with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:  # noqa: PTH123 - no truncation
            file.write(value)
    except OSError:  # a kernel without IPv6
        return
