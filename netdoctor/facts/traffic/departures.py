"""How questions leave the node: seen on its interfaces, with the source address that the outside has to answer to.

Only asked where pods get no answer from outside, or the host itself gets none. A packet of a pod that leaves with the
pod's own address was not masqueraded; one that never leaves was lost inside; one that leaves with the node's address
and is not answered is lost outside; one whose answer comes back is lost on the way in, by the reverse-path check where
the kernel has counted it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import pairwise

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.names import UpstreamAnswers, UpstreamLookup, uncached_name
from netdoctor.facts.traffic.vantage import HOST, VantagePoints
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer, Reply, ask_dns, in_namespace

SECONDS = 0.25  # a packet is on the uplink within milliseconds
WATCHED = 2  # pods
EVERY_PROTOCOL, IPV4 = 0x0003, 0x0800  # ETH_P_ALL, ETH_P_IP
IPV4_HEADER = 20  # bytes, the addresses in the last eight: RFC 791, section 3.1
STRICT = "1"  # of rp_filter: only by the interface that leads to the sender
REVERSE_PATH_DROPS = "IPReversePathFilter"  # of TcpExt in /proc/net/netstat


@dataclass(frozen=True, slots=True)
class Departure:
    """One unanswered question to the outside, as the uplink saw it."""

    flow: str
    pod_address: str  # "" where the host itself asked
    uplink: str  # by which it left
    sources: tuple[str, ...]  # source addresses it left with; none: it never left
    back_by: str = ""  # the interface by which an answer came, "" when none came
    rp_filter: str = ""  # what holds for that interface: the greater of its own value and that of `all`
    reverse_path_drops: int = 0  # packets that the kernel's reverse-path check dropped meanwhile, on the whole node
    destination: str = ""  # whom it asked; "" in older recordings

    @property
    def came_back(self) -> bool:
        """Whether an answer came back."""
        return bool(self.back_by)

    @property
    def is_bare(self) -> bool:
        """Whether it left with its pod's own address, and nobody answered."""
        return self.pod_address in self.sources and not self.came_back

    @property
    def refused_on_return(self) -> bool:
        """Whether the answer came in by another interface with a strict check, and one dropped packets meanwhile."""
        return self.back_by not in ("", self.uplink) and self.reverse_path_drops > 0 and self.rp_filter == STRICT

    def __str__(self) -> str:
        """In words."""
        if not self.sources:
            return "it never left the node"
        back = f"and an answer came back by {self.back_by}" if self.came_back else "and no answer came back"
        return f"it left by {self.uplink} with source {', '.join(self.sources)}, {back}"


@dataclass(frozen=True, slots=True)
class Departures:
    """packets on the uplink"""

    items: tuple[Departure, ...]

    @classmethod
    def collect(cls, host: Host, points: VantagePoints, links: Links, answers: UpstreamAnswers) -> Departures:
        """Ask once more where no answer came, and watch the interfaces. Raises CannotRead."""
        failed = _failed(answers)
        if not failed:
            return cls(())
        if not host.is_root:
            raise CannotRead("packet capture", "not root", Why.NOT_PERMITTED)
        return cls(tuple(_departure(host, points, links, lookup) for lookup in failed))


def _departure(host: Host, points: VantagePoints, links: Links, lookup: UpstreamLookup) -> Departure:
    """Ask once more, and watch. Raises CannotRead."""
    point, upstream = points.named(lookup.vantage), lookup.upstream
    name = uncached_name()
    before = _reverse_path_drops(host)
    frames = _watch(name, _question(point.netns, upstream.address, name, upstream.port))
    left = [frame for frame in frames if frame.target == upstream.address and frame.outgoing]
    back = _back_by(frames, upstream.address)
    if not left and not links.default_devices:
        raise CannotRead("uplink", f"there is no default route, and {lookup} was not seen leaving by any interface")
    return Departure(
        flow=str(lookup),
        pod_address="" if point.kind == HOST else point.address,
        uplink=left[0].device if left else links.default_devices[0],
        sources=tuple(dict.fromkeys(frame.source for frame in left)),
        back_by=back,
        rp_filter=_rp_filter(host, back) if back else "",
        reverse_path_drops=_reverse_path_drops(host) - before,
        destination=upstream.address,
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    device: str
    outgoing: bool
    source: str
    target: str


def _failed(answers: UpstreamAnswers) -> list[UpstreamLookup]:
    """Of pods, what the host got an answer to; of the host, one question where it got no answer to any."""
    of_host, of_pods = _asked(answers, by_host=True), _asked(answers, by_host=False)
    alive = {x.upstream for x in of_host if x.reply.answered}
    if not alive:
        return [x for x in of_host if x.reply.answer is Answer.TIMEOUT][:1]
    return _first_of_each_pod([x for x in of_pods if not x.reply.answered and x.upstream in alive])[:WATCHED]


def _asked(answers: UpstreamAnswers, *, by_host: bool) -> list[UpstreamLookup]:
    """What was asked over UDP and IPv4, by the host or by pods."""
    lookups = answers.from_host() if by_host else answers.from_pods()
    return [x for x in lookups if x.transport == "udp" and ":" not in x.upstream.address]


def _back_by(frames: list[_Frame], source: str) -> str:
    """The interface by which packets from this address came in, "" for none."""
    came = [frame for frame in frames if frame.source == source and not frame.outgoing]
    # the last one is the uppermost: a VLAN comes after the interface that it is on
    return came[-1].device if came else ""


def _first_of_each_pod(lookups: list[UpstreamLookup]) -> list[UpstreamLookup]:
    """The pods' first lookups, those pods first whose last one comes first."""
    first: dict[str, UpstreamLookup] = {}
    for lookup in lookups:
        first[lookup.vantage] = first.pop(lookup.vantage, lookup)  # its pod becomes the last one
    return list(first.values())


def _reverse_path_drops(host: Host) -> int:
    lines = [line.split() for line in (host.read_or_none("/proc/net/netstat") or "").splitlines()]
    for names, values in pairwise(lines):
        if names[:1] == values[:1] == ["TcpExt:"] and REVERSE_PATH_DROPS in names:
            return int(values[names.index(REVERSE_PATH_DROPS)])
    return 0


def _rp_filter(host: Host, device: str) -> str:
    """What holds for an interface: the greater value, says ip-sysctl.rst of the kernel."""
    folder = "/proc/sys/net/ipv4/conf"
    return max((host.read_or_none(f"{folder}/{name}/rp_filter") or "").strip() for name in ("all", device))


def _question(netns: str, address: str, name: str, port: int) -> Callable[[], object]:
    def question() -> Reply:
        return ask_dns(address, name, SECONDS, port=port)

    return lambda: in_namespace(netns, question)


def _watch(name: str, ask: Callable[[], object]) -> list[_Frame]:
    """Each IPv4 packet that holds this DNS name, on any interface of the host, while it is asked for."""
    label = name.partition(".")[0].encode()
    found = []
    kernel_modules.require(kernel_modules.PACKET, "packet capture")
    try:  # without the link's header: tunnels have none
        watcher = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERY_PROTOCOL))
    except OSError as error:
        raise CannotRead.of("packet capture", error) from error
    with watcher:
        ask()
        end = time.monotonic() + SECONDS
        while (left := end - time.monotonic()) > 0:
            watcher.settimeout(left)
            try:
                data, (device, protocol, kind, *_) = watcher.recvfrom(65535)
            except TimeoutError:
                break
            if protocol == IPV4 and label in data and len(data) >= IPV4_HEADER:
                source, target = str(IPv4Address(data[12:16])), str(IPv4Address(data[16:20]))
                found.append(_Frame(device, kind == socket.PACKET_OUTGOING, source, target))
    return found
