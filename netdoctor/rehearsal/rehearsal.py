"""A repair, made on a copy of the node first: what passes then, what opens that need not, and what breaks."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from netdoctor.errors import CannotRead, Exposed, NetdoctorError, NotRehearsable
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.connections import Connection, Connections
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.model import Access, Change
from netdoctor.rehearsal.exposure import ExposedFlow, compared, led_away, open_in_another_copy, ways
from netdoctor.rehearsal.failing_flows import asking, failed_flows
from netdoctor.rehearsal.firewalld_rehearsal import ByFirewalld, copies_with_firewalld
from netdoctor.rehearsal.named_sources import named_sources
from netdoctor.rehearsal.people import People, people
from netdoctor.rehearsal.transit import carried, transit_ways
from netdoctor.system.firewalld_bus import FirewalldBus
from netdoctor.system.host import Host
from netdoctor.system.kernel_modules import program_of
from netdoctor.system.traffic import Reply
from netdoctor.twin.asked import PATIENCE, Asked
from netdoctor.twin.build import build
from netdoctor.twin.state import State
from netdoctor.twin.twin import DOUBT, Twin

# what acts in its network namespace, and nowhere else
PROGRAMS = re.compile(r"nft|ip|bridge|tc|conntrack|ipset|(ip|ip6|eb|arp)tables(-nft|-legacy)?(-save|-restore)?")


# opened, these let in nobody who is not here already
HARMLESS = (Access.PERSON, Access.CONNECTED, Access.NODE_TO_OUTSIDE)


class RehearsalVerdict(StrEnum):
    """What a rehearsal says of a repair."""

    SAFE = "safe"
    REFUSED = "refused"  # it would cut something off, cures nothing, or opens more than it is for
    NOT_REHEARSED = "not rehearsed"  # a copy cannot show what it does


class HostOfCopy(Host):
    """What a change may reach while it is rehearsed: the network namespace that the calling thread is in."""

    __slots__ = ()

    def run(self, argv: Sequence[str], timeout: float = 3.0, stdin: str | None = None) -> str:
        """As Host does. Raises NotRehearsable for a program that reaches beyond the namespace."""
        if not PROGRAMS.fullmatch(program_of(argv)) or "netns" in argv:
            raise NotRehearsable(f"{argv[0]} reaches beyond a copy of the node's network")
        return super().run(argv, timeout, stdin)


@dataclass(frozen=True, slots=True)
class TriedFlow:
    """A flow that fails on the node, in the copy before and after the change."""

    flow: str
    before: str
    after: str
    passes: bool  # after
    passed: bool  # before: what fails on the node and not in a copy, no repair is seen to cure there


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a repair does, as a copy of the node shows it."""

    flows: tuple[TriedFlow, ...]
    opened: tuple[ExposedFlow, ...]
    closed: tuple[ExposedFlow, ...]
    tried: int  # ways
    not_shown: tuple[str, ...]  # changes that a copy cannot show
    seconds: float
    needless: tuple[ExposedFlow, ...] = ()  # of those opened: what the repair is not for
    not_made: tuple[str, ...] = ()  # changes that failed in the copy, and what else keeps it from speaking for the node
    untouched: tuple[str, ...] = ()  # changes that no copy can show, and why they touch no packet's way
    sampled: tuple[str, ...] = ()  # whose ways were tried, of how many
    unseen: tuple[str, ...] = ()  # who is connected, and passes in no copy: what the repair does to them is not known
    made: int = 0  # changes that were made in the copy

    @property
    def cures_nothing(self) -> bool:
        """Whether the copy fails as the node does, and with the repair not one flow passes that failed."""
        if not self.made or not self.flows:
            return False
        return not any(tried.passed or tried.passes for tried in self.flows)

    @property
    def verdict(self) -> RehearsalVerdict:
        """Whether the repair may be made."""
        if self.closed:
            return RehearsalVerdict.REFUSED
        if self.not_made:
            return RehearsalVerdict.NOT_REHEARSED
        return RehearsalVerdict.REFUSED if self.needless or self.cures_nothing else RehearsalVerdict.SAFE

    @property
    def refusal(self) -> str:
        """Why the repair must not be made; "" where nothing speaks against it."""
        if self.closed:
            return f"it would cut off {_some(self.closed)}"
        if self.not_made:
            return f"it is not rehearsed: {self.not_made[0]}"
        opens = f"it would open {_some(self.needless)}" if self.needless else ""
        if not self.cures_nothing:
            return opens
        in_vain = f"with it none of the {len(self.flows)} failing flows passes in the copy"
        return f"{in_vain}, and {opens}" if opens else in_vain


def rehearse(
    facts: Facts, changes: Iterable[Change], opens: Collection[Access], *, with_daemon: bool = False
) -> Rehearsal:
    """Make the changes on one copy of the node and compare it with another; `opens`: classes of ways they are for.

    `with_daemon`: what firewalld does is done by a second firewalld; without one, rules stand for it.

    Raises CannotRead where no copy can be made, or who is connected to the node cannot be read.
    """
    begin = time.monotonic()
    state, cluster = facts.get(NodeNetwork).state, facts.get(ClusterAddresses)
    asked = failed_flows(facts, state, cluster)
    flows = [each.flow for each in asked]
    connections, not_known = _connections(facts)
    changes, not_shown = list(changes), not_known
    with ExitStack() as stack:
        before, after, bus = _copies(stack, state, changes if with_daemon else (), not_shown)
        # before the change: what the copies have in common
        named, not_read = before.run(lambda: named_sources(state.node))
        who = people(state, cluster, connections, named)
        tried = [*ways(state, cluster, asking(facts, state, flows), far=True), *who.ways]
        made = _make(changes, state, after, bus)
        # before the ways: those are tried with an outside that knows pods, which would hide a lost masquerade
        then, now = before.ask_all(flows, PATIENCE), after.ask_all(flows, DOUBT)
        old, new = compared(before, after, tried)
        led = led_away(before, after, old & new, cluster)
        lost = [way for way in tried if way in old - new]
        if lost and bus is None:
            new |= open_in_another_copy(state, lost, lambda twin: _make(changes, state, twin, None))
        new -= led
        carries = transit_ways(state)
        if carries:
            carried_before, carried_after = carried(before, after, carries)
            old, new, tried = old | carried_before, new | carried_after, [*tried, *carries]
    opened = tuple(way for way in tried if way in new - old)
    unseen, invisible = _unseen(who, old | new)
    return Rehearsal(
        flows=_compared_flows(asked, then, now),
        opened=opened,
        closed=tuple(way for way in tried if way in old - new),
        tried=len(tried),
        not_shown=(*not_shown, *made.failed, *not_read),
        seconds=round(time.monotonic() - begin, 2),
        needless=_needless(opened, opens, changes),
        not_made=(*made.failed, *invisible),
        untouched=tuple(made.untouched),
        sampled=(*who.sampled, *_transit_in_words(carries)),
        unseen=tuple(unseen),
        made=made.count,
    )


def _connections(facts: Facts) -> tuple[tuple[Connection, ...], list[str]]:
    """Who is connected to the node; of a recorded node nobody, and what that leaves out. Raises CannotRead."""
    if facts.get(Host).live:
        return facts.get(Connections).items, []
    return (), ["whether it cuts off somebody: a recording does not say who was connected"]


@dataclass
class _Made:
    """How many changes were made in a copy, and which were not, each with the reason."""

    count: int = 0
    failed: list[str] = field(default_factory=list)  # or no copy shows all that they do
    untouched: list[str] = field(default_factory=list)  # they touch no packet's way


def _make(changes: Iterable[Change], state: State, after: Twin, bus: FirewalldBus | None) -> _Made:
    """Make the changes in a copy, one after the other; what a copy cannot show is left out."""
    made = _Made()
    for change in changes:
        if reason := _untouched(change, state):
            made.untouched.append(f"{change.describe()}: {reason}")
            continue
        if reason := _not_shown(change, state):
            made.failed.append(f"{change.describe()}: {reason}")
            continue
        try:
            if bus and isinstance(change, ByFirewalld):
                change.apply_over(bus)
            else:
                after.run(partial(change.rehearse, HostOfCopy()))
            made.count += 1
        except (NetdoctorError, OSError, ValueError) as error:
            made.failed.append(f"{change.describe()}: {error}")
    return made


def _compared_flows(asked: list[Asked], then: Sequence[Reply], now: Sequence[Reply]) -> tuple[TriedFlow, ...]:
    """Each failing flow, with what it got in the copy without the repair and in the one with it."""
    return tuple(
        TriedFlow(each.name, before=str(old), after=str(new), passes=each.passes(new), passed=each.passes(old))
        for each, old, new in zip(asked, then, now, strict=True)
    )


def _needless(
    opened: Iterable[ExposedFlow], opens: Collection[Access], changes: Iterable[Change]
) -> tuple[ExposedFlow, ...]:
    """Of the ways that opened: those that the repair is not for."""
    meant = {*opens, *HARMLESS, *(access for change in changes for access in _opened_too(change))}
    return tuple(way for way in opened if way.kind not in meant)


def _transit_in_words(carries: Collection[ExposedFlow]) -> list[str]:
    return [f"transit between uplinks: {len(carries)}"] if carries else []


def _untouched(change: Change, state: State) -> str:
    """Why a change that no copy can show touches no packet's way on this node; "" where it may."""
    say: Any = getattr(change, "touches_no_way", None)
    return str(say(state)) if say else ""


def _not_shown(change: Change, state: State) -> str:
    """What a change does to this node that no copy shows; "" for nothing."""
    say: Any = getattr(change, "not_shown", None)
    return str(say(state)) if say else ""


def _opened_too(change: Change) -> tuple[Access, ...]:
    """What this change is meant to open beyond what its remedy says of itself."""
    say: Any = getattr(change, "opens", None)
    return tuple(say()) if say else ()


def _unseen(who: People, passing: Collection[ExposedFlow]) -> tuple[list[str], list[str]]:
    """Who is connected and passes in neither copy; and those of them who are logged in."""
    silent = [way for way in who.ways if way not in passing]
    logins = [*who.out_of_sight, *(str(way) for way in silent if way in who.logged_in)]
    others = [*who.others_out_of_sight, *(str(way) for way in silent if way.kind is Access.CONNECTED)]
    words = "is connected now, but passes in none of the copies, so nothing shows whether the repair keeps that way"
    return others, [f"{login} {words}" for login in logins]


def _copies(
    stack: ExitStack, state: State, by_daemon: Sequence[Change], not_shown: list[str]
) -> tuple[Twin, Twin, FirewalldBus | None]:
    """Two copies, and the bus to a firewalld in the second one where firewalld has to make one of these changes."""
    if any(isinstance(change, ByFirewalld) for change in by_daemon):
        try:
            return stack.enter_context(copies_with_firewalld(state))
        except CannotRead as error:
            not_shown.append(f"what firewalld itself does; rules stand in for it: {error}")
    return stack.enter_context(closing(build(state))), stack.enter_context(closing(build(state))), None


def insist(rehearsal: Rehearsal | None, allow_exposure: bool, why_not: str = "") -> None:
    """Raise Exposed where the repair would cut something off, cures nothing, or opens more than it has to.

    Only the last of these may be allowed.

    `why_not`: why there is no rehearsal. Raises NotRehearsable where there is none, or one that does not show it all.
    """
    if rehearsal is None:
        if why_not:
            raise NotRehearsable(_not_made(f"it is not rehearsed: {why_not}"))
        return
    may_be_allowed = not rehearsal.closed and not rehearsal.cures_nothing
    if rehearsal.verdict is RehearsalVerdict.REFUSED and not (may_be_allowed and allow_exposure):
        way_out = "; use --allow-exposure to apply it anyway" if may_be_allowed else ""
        raise Exposed(f"refused: on a copy of the node {rehearsal.refusal}{way_out}")
    if rehearsal.verdict is RehearsalVerdict.NOT_REHEARSED:
        raise NotRehearsable(_not_made(rehearsal.refusal))


def _not_made(why: str) -> str:
    return f"refused: {why}; use --without-rehearsal to apply it anyway"


def _some(found: tuple[ExposedFlow, ...]) -> str:
    # people first, whatever else it may be
    first = sorted(found, key=lambda way: way.kind not in (Access.PERSON, Access.CONNECTED))
    words = [f"{way.kind}: {way}" for way in first[:4]]
    return "; ".join(words) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
