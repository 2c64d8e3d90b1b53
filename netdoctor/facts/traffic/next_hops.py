"""Whether the gateways towards CoreDNS's upstreams answer ARP: asked only where no resolver answers the host."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host

SECONDS, EVERY = 0.6, 0.2  # how long to wait, and how often to ask
ARP_PROTOCOL = 0x0806
BROADCAST = "ff:ff:ff:ff:ff:ff"


@dataclass(frozen=True, slots=True)
class AskedNextHop:
    """A next hop."""

    address: str
    route: str  # as `ip route` prints it
    device: str
    answers: bool


@dataclass(frozen=True, slots=True)
class Gateways:
    """gateways"""

    items: tuple[AskedNextHop, ...]

    @classmethod
    def collect(cls, host: Host, links: Links, answers: UpstreamAnswers) -> Gateways:
        """Ask each gateway for its link-layer address; a question that changes nothing. Raises CannotRead."""
        lookups = answers.from_host()
        if any(lookup.reply.answered for lookup in lookups):
            return cls(())
        hops = {(hop.gateway, hop.device, hop.route) for x in lookups for hop in links.next_hops(x.upstream.address)}
        found = []
        for address, device, route in sorted(hops):
            link = links.named(device)
            source = _source(link) if link else ""
            if not address or not link or not source:
                continue
            if not host.is_root:
                raise CannotRead("ARP", "not root", Why.NOT_PERMITTED)
            found.append(AskedNextHop(address, route, link.name, _answers(host, link, source, address)))
        return cls(tuple(found))


def _source(link: Interface) -> str:
    """The IPv4 address to ask from on an interface, "" where ARP cannot be spoken."""
    if not link.arp or not link.carries:
        return ""
    return next((address for address in link.addresses if ":" not in address), "")


def _answers(host: Host, link: Interface, source: str, address: str) -> bool:
    from scapy.layers.l2 import ARP, Ether

    mac = host.read(f"/sys/class/net/{link.name}/address").strip()
    question = bytes(Ether(src=mac, dst=BROADCAST) / ARP(op=1, hwsrc=mac, psrc=source, pdst=address))
    kernel_modules.require(kernel_modules.PACKET, "ARP")
    try:
        watcher = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP_PROTOCOL))
    except OSError as error:
        raise CannotRead.of("ARP", error) from error
    with watcher:
        watcher.bind((link.name, ARP_PROTOCOL))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            watcher.send(question)
            until = min(end, time.monotonic() + EVERY)
            while (left := until - time.monotonic()) > 0:
                watcher.settimeout(left)
                try:
                    frame = Ether(watcher.recv(2048))
                except TimeoutError:
                    break
                if ARP in frame and frame[ARP].op == 2 and frame[ARP].psrc == address:
                    return True
    return False
