"""How packets of pods leave the node: seen on the uplink, with the source address that the outside has to answer to.

Only asked where pods get no answer from outside. A packet that leaves with the pod's own address was not masqueraded;
one that never leaves was lost inside; one that leaves with the node's address and is not answered is lost outside.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.links import Links
from netdoctor.facts.names import UpstreamAnswers, answered, uncached_name
from netdoctor.facts.vantage import VantagePoints
from netdoctor.host import Host
from netdoctor.traffic import Reply, ask_dns, in_namespace

SECONDS = 0.25  # a packet is on the uplink within milliseconds
WATCHED = 2  # pods
EVERY_PROTOCOL = 0x0003  # ETH_P_ALL


@dataclass(frozen=True, slots=True)
class Departure:
    """One unanswered question to the outside, as the uplink saw it."""

    flow: str
    pod_address: str
    uplink: str
    sources: tuple[str, ...]  # source addresses it left with; none: it never left
    came_back: bool

    def __str__(self) -> str:
        """In words."""
        if not self.sources:
            return "it never left the node"
        back = "and an answer came back" if self.came_back else "and no answer came back"
        return f"it left with source {', '.join(self.sources)}, {back}"


@dataclass(frozen=True, slots=True)
class Departures:
    """packets on the uplink"""

    items: tuple[Departure, ...]

    @classmethod
    def collect(cls, host: Host, points: VantagePoints, links: Links, answers: UpstreamAnswers) -> Departures:
        """Ask once more from pods that got no answer, and watch the uplink. Raises CannotRead."""
        alive = {x.upstream for x in answers.from_host() if x.transport == "udp" and answered(x.reply)}
        failed = [
            x for x in answers.from_pods()
            if x.transport == "udp" and x.upstream in alive and not answered(x.reply) and ":" not in x.upstream.address
        ]  # fmt: skip
        failed = list({x.vantage: x for x in reversed(failed)}.values())[::-1][:WATCHED]
        if not failed:
            return cls(())
        uplink = next(iter(links.default_devices), "")
        if not uplink:
            raise CannotRead("uplink", "there is no default route, so no interface to watch")
        if not host.is_root:
            raise CannotRead("packet capture", "not root")
        found = []
        for lookup in failed:
            point, upstream = points.named(lookup.vantage), lookup.upstream
            name = uncached_name()
            frames = _watch(uplink, name, _question(point.netns, upstream.address, name, upstream.port))
            sources = tuple(dict.fromkeys(source for source, target in frames if target == upstream.address))
            back = any(source == upstream.address for source, _ in frames)
            found.append(Departure(str(lookup), point.address, uplink, sources, back))
        return cls(tuple(found))


def _question(netns: str, address: str, name: str, port: int) -> Callable[[], object]:
    def question() -> Reply:
        return ask_dns(address, name, SECONDS, port=port)

    return lambda: in_namespace(netns, question)


def _watch(uplink: str, name: str, ask: Callable[[], object]) -> list[tuple[str, str]]:
    """Source and destination of each IPv4 packet on the interface that holds this DNS name, while it is asked for."""
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether

    label = name.partition(".")[0].encode()
    found = []
    try:
        watcher = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
    except OSError as error:
        raise CannotRead("packet capture", error.strerror or str(error)) from error
    with watcher:
        watcher.bind((uplink, EVERY_PROTOCOL))
        ask()
        end = time.monotonic() + SECONDS
        while (left := end - time.monotonic()) > 0:
            watcher.settimeout(left)
            try:
                frame = watcher.recv(65535)
            except TimeoutError:
                break
            if label in frame:
                packet = Ether(frame)
                if IP in packet:
                    found.append((packet[IP].src, packet[IP].dst))
    return found
