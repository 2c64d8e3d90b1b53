"""Whether large packets of pods pass: to a resolver outside, and to another pod, where small ones do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.coredns import Upstream
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.facts.traffic.vantage import NEW, VantagePoint, VantagePoints
from netdoctor.system.host import Host
from netdoctor.system.path_mtu import ask_echo, ask_stream, link_mtu, padded_question
from netdoctor.system.traffic import Answer, Reply, ask_all

SECONDS = 0.5
SMALL, USUAL = 84, 1200  # bytes: a ping's; what passes every path of the internet, and no filter of large pings
SIZES = (1280, 1372, 1400, 1420, 1450, 1480, 1492)  # of tunnels: IPv6's least, VPNs, WireGuard, VXLAN, GRE, PPPoE
SEGMENT = 1100  # bytes of a segment that passes everywhere
AMOUNT = 3000  # bytes of the stream: two full segments
DNS = 53


@dataclass(frozen=True, slots=True)
class LargePackets:
    """large packets"""

    added_later: ClassVar[bool] = True
    items: tuple[SizedFlow, ...]

    @classmethod
    def collect(cls, host: Host, points: VantagePoints, answers: UpstreamAnswers) -> LargePackets:
        """Ask in two rounds: everything at once, then again what was lost. Raises CannotRead."""
        if not host.is_root:
            raise CannotRead("large packets", "not root", Why.NOT_PERMITTED)
        routes = list(_targets(points, answers))
        mtus = _mtus([(point, address) for point, address, _ in routes])
        asked = [_Asked(point, address, name, mtu) for (point, address, name), mtu in zip(routes, mtus, strict=True)]
        return cls(tuple(_ask([each for each in asked if each.mtu > USUAL])))


@dataclass(frozen=True, slots=True)
class SizedFlow:
    """From where to what, and how large packets ended."""

    vantage: str
    target: str  # in words
    address: str
    mtu: int  # of the first link
    echoes: tuple[SizedReply, ...]  # by size
    full: Reply  # the stream in full segments
    segmented: Reply | None  # in small ones, asked where the full ones were lost

    def __str__(self) -> str:
        """As evidence names it."""
        return f"{self.vantage} -> {self.address}"

    @property
    def loses_streams(self) -> bool:
        """Whether a stream passes in small segments only."""
        passes = self.segmented is not None and self.segmented.answer in (Answer.OK, Answer.CLOSED)
        return self.full.answer is Answer.TIMEOUT and passes

    @property
    def largest(self) -> int:
        """The largest echo request that was answered, 0 for none."""
        return max((echo.size for echo in self.echoes if echo.reply.answer is Answer.OK), default=0)

    @property
    def loses_echoes(self) -> bool:
        """Whether large echo requests vanish: usual ones are answered, and no ICMP error says why others are not."""
        above = [echo.reply for echo in self.echoes if echo.size > self.largest]
        return USUAL <= self.largest < self.mtu and all(reply.answer is Answer.TIMEOUT for reply in above)


@dataclass(frozen=True, slots=True)
class SizedReply:
    """An echo request of so many bytes, and its reply."""

    size: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class _Asked:
    point: VantagePoint
    address: str
    target: str
    mtu: int


def _targets(points: VantagePoints, answers: UpstreamAnswers) -> Iterator[tuple[VantagePoint, str, str]]:
    """From one pod to a resolver that answers it, and to CoreDNS."""
    pods = sorted((p for p in points.pods if not p.is_coredns and ":" not in p.address), key=lambda p: p.kind != NEW)
    for point in pods[:1]:
        for resolver in list(_answering(point, answers))[:1]:
            yield point, resolver, f"resolver {resolver}"
        for other in [each for each in points.pods if each.is_coredns and ":" not in each.address][:1]:
            yield point, other.address, other.name


def _answering(point: VantagePoint, answers: UpstreamAnswers) -> Iterator[str]:
    """The resolvers that have answered this pod."""
    for lookup in answers.lookups:
        if lookup.vantage == point.name and lookup.reply.answered and _is_plain(lookup.upstream):
            yield lookup.upstream.address


def _is_plain(upstream: Upstream) -> bool:
    """Whether a pod can send a query of IPv4 to it, at the usual port."""
    return ":" not in upstream.address and not upstream.on_loopback and upstream.port == DNS


def _mtus(routes: list[tuple[VantagePoint, str]]) -> list[int]:
    replies = ask_all([(point.netns, partial(_mtu, address)) for point, address in routes], SECONDS)
    return [int(reply.detail or 0) if reply.answer is Answer.OK else 0 for reply in replies]


def _mtu(address: str) -> Reply:
    return Reply(Answer.OK, 0.0, detail=str(link_mtu(address)))


def _sizes(mtu: int) -> list[int]:
    return [SMALL, USUAL, *(size for size in SIZES if size < mtu), mtu]


def _ask(asked: list[_Asked]) -> list[SizedFlow]:
    """All sizes up to the first link's, and a stream, all at once; then what was lost once more."""
    message = padded_question(AMOUNT)
    echoes = [
        (each.point.netns, partial(ask_echo, each.address, size, SECONDS))
        for each in asked
        for size in _sizes(each.mtu)
    ]
    streams = [(each.point.netns, partial(ask_stream, each.address, DNS, message, SECONDS)) for each in asked]
    replies = iter(ask_all([*echoes, *streams], 2 * SECONDS))
    by_size = [tuple(SizedReply(size, next(replies)) for size in _sizes(each.mtu)) for each in asked]
    flows = []
    for each, sized, full in zip(asked, by_size, replies, strict=True):
        flow = SizedFlow(each.point.name, each.target, each.address, each.mtu, sized, full, None)
        is_lost = flow.loses_echoes or full.answer is Answer.TIMEOUT
        flows.append(_asked_again(flow, each.point.netns, message) if is_lost else flow)
    return flows


def _asked_again(flow: SizedFlow, netns: str, message: bytes) -> SizedFlow:
    """The flow with second replies of what is largest, and of a stream in small segments: one loss proves nothing."""
    stream = partial(ask_stream, flow.address, DNS, message, SECONDS)
    asked = [partial(ask_echo, flow.address, flow.mtu, SECONDS), stream, partial(stream, segment=SEGMENT)]
    echo, full, segmented = ask_all([(netns, question) for question in asked], 2 * SECONDS)
    echoes = (*flow.echoes[:-1], SizedReply(flow.mtu, echo))
    return replace(flow, echoes=echoes, full=full, segmented=segmented)
