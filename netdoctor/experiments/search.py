"""Which smallest change lets a lost packet pass: each candidate is tried on a fresh copy of the node.

First all candidates at once; what does not pass then is not curable by them, and is looked at again for what stands
behind the first obstacle. Then the sets that `minimal_sets` asks for. Last the opposite: with everything changed but
the smallest set, the packet has to fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from netdoctor.errors import NetdoctorError
from netdoctor.experiments.interventions import Intervention, Situation, proposed
from netdoctor.experiments.minimal_sets import ChangeSet, everything_else, is_necessary, minimal_sets
from netdoctor.experiments.work_limit import WorkLimit
from netdoctor.system.host import Host
from netdoctor.system.legacy_iptables import grown, legacy_counters
from netdoctor.system.nft_trace import Dropped
from netdoctor.system.patience import patience
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.asked import PATIENCE, Asked
from netdoctor.twin.build import Settings, build
from netdoctor.twin.state import State
from netdoctor.twin.tracer import Tracer
from netdoctor.twin.twin import DOUBT, Twin, alike
from netdoctor.twin.walk import Walk

AT_ONCE = 2  # copies that are built and asked side by side
SPENT = 16  # copies that have answered and are not closed yet, 1.5 MB each
SMALL = 2000  # rules and sets, up to which a copy is small enough to be kept
BEHIND = 4  # obstacles, one behind the other, that are looked for
TURNS = 2
RATION = 1.0  # seconds after which the kernel sends another ICMP error to the same pod
SURE = 0.8  # seconds for an answer, which may be late on a busy machine; the search goes on meanwhile


@dataclass(frozen=True, slots=True)
class Found:
    """What the twin says of one flow."""

    asked: Asked
    reply: Reply  # in the twin
    alike: bool
    dropped: Dropped
    legacy: str  # the rule of legacy iptables that moved
    route: str  # why routing refuses the packet
    cures: tuple[ChangeSet, ...] = ()  # smallest sets, each enough alone
    necessary: tuple[bool, ...] = ()  # of each: whether everything else together is not enough


@dataclass
class Search:
    """One search on one state; `copies` counts the twins that were built."""

    state: State
    situation_of: Callable[[Asked, Walk, str], Situation]
    refusal: Callable[[Twin, Asked], str]
    limit: WorkLimit
    again: Callable[[Asked], Reply] | None = None  # asks on the node once more, where there is one
    copies: int = 0
    cut_short: str = ""  # the limit that ended it before it was done, in words
    causes: set[str] = field(default_factory=set)  # of every candidate that was tried alone
    refused: dict[str, str] = field(default_factory=dict)  # candidates that could not be made, and why
    settings: Settings = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)  # causes that the walks of the failing flows point to
    _spent: list[Twin] = field(default_factory=list)  # copies that have answered
    _known: dict[tuple[frozenset[tuple[str, str]], float], dict[str, bool]] = field(default_factory=dict)

    def run(self, flows: Sequence[Asked], candidates: Callable[[], Iterable[Intervention]]) -> list[Found]:
        """Ask each flow in a copy, and search cures for those that fail there as on the node. Raises CannotRead.

        `candidates` gives those that no failing flow's way points to, once the first copy has answered.
        """
        with closing(self._copy()) as twin, ExitStack() as at_the_end:
            at_the_end.callback(self._close_spent)
            patient = twin.begin_all([asked.flow for asked in flows], SURE)
            wait(patient, patience(DOUBT))
            replies = [each.result() if each.done() else Reply(Answer.TIMEOUT, DOUBT * 1000) for each in patient]
            flows = self._asked_again(flows, replies)
            with Tracer(twin, texts=False) as tracer:
                pairs = zip(flows, replies, strict=True)
                found = [self._first(twin, tracer, asked, reply) for asked, reply in pairs]
            searched = self._searched(found, candidates)
            answers = [(each, future.result()) for each, future in zip(searched, patient, strict=True)]
        return [
            Found(each.asked, late, False, Dropped(), "", "") if each.alike and each.asked.passes(late) else each
            for each, late in answers
        ]

    def _searched(
        self, found: list[tuple[Found, Walk | None]], candidates: Callable[[], Iterable[Intervention]]
    ) -> list[Found]:
        """What was found, with cures for what fails in the copy as on the node."""
        open_flows = [first.asked for first, _ in found if first.alike]
        pool = {c.key: c for c in candidates()}
        pool |= self._pointed_to(found)
        if not open_flows or not pool:
            return [first for first, _ in found]
        curable = self._all(open_flows, pool)
        cures = minimal_sets(
            list(pool.values()),
            partial(self._passes, open_flows),
            [asked.name for asked in curable],
            likely=self._seen,
            at_once=AT_ONCE,
        )
        self._try_opposites([cure for sets in cures.values() for cure in sets], pool, open_flows)
        return [self._judged(first, cures.get(first.asked.name, []), pool, open_flows) for first, _ in found]

    def _pointed_to(self, found: list[tuple[Found, Walk | None]]) -> dict[tuple[str, str], Intervention]:
        """What the walks of the failing flows point to; their causes are remembered."""
        pool: dict[tuple[str, str], Intervention] = {}
        for first, way in found:
            if first.alike and way:
                pointed_to = list(proposed(self.situation_of(first.asked, way, first.legacy)))
                pool |= {c.key: c for c in pointed_to}
                self._seen |= {c.cause for c in pointed_to}
        return pool

    def _asked_again(self, flows: Sequence[Asked], replies: list[Reply]) -> list[Asked]:
        """The flows, with those that differ asked on the node once more.

        It may have been silent because ICMP errors are rationed, or have changed since it was asked.
        """
        asked = list(flows)
        for turn in range(TURNS):
            differs = [place for place, one in enumerate(asked) if not alike(one.reply, replies[place])]
            if turn:  # only what is an error in the copy and silence on the node may have been rationed
                differs = [p for p in differs if replies[p].icmp and asked[p].reply.answer is Answer.TIMEOUT]
            if self.again is None or not differs:
                break
            time.sleep(RATION)
            with ThreadPoolExecutor(len(differs)) as pool:
                news = [pool.submit(self.again, asked[place]) for place in differs]
                for place, new in zip(differs, news, strict=True):
                    asked[place] = replace(asked[place], reply=new.result())
        return asked

    def _copy(self) -> Twin:
        self.copies += 1
        return build(self.state, self.settings)

    def _first(self, twin: Twin, tracer: Tracer, asked: Asked, reply: Reply) -> tuple[Found, Walk | None]:
        if asked.passes(reply) or not alike(asked.reply, reply):
            return Found(asked, reply, False, Dropped(), "", ""), None
        legacy = bool(self.state.node.legacy)
        before = twin.run(lambda: legacy_counters(Host())) if legacy else {}
        way = tracer.walk(asked.flow)
        after = twin.run(lambda: legacy_counters(Host())) if legacy else {}
        dropped = way.dropped()
        moved = grown(before, after) if not dropped.by_rule else ""
        refused = self.refusal(twin, asked) if not dropped.by_rule and not moved else ""
        return Found(asked, reply, True, dropped, moved, refused), way

    def _all(self, flows: list[Asked], pool: dict[tuple[str, str], Intervention]) -> list[Asked]:
        """The flows that pass once everything in the pool is changed; the pool grows by what stands behind."""
        curable: list[Asked] = []
        for _ in range(BEHIND):
            passes, ways = self._attempt(list(pool.values()), flows, pool, look=True)
            curable = [asked for asked in flows if passes.get(asked.name)]
            size = len(pool)
            for asked, way in ways:
                for candidate in proposed(self.situation_of(asked, way, "")):
                    pool.setdefault(candidate.key, candidate)
            if len(pool) == size or self._is_over():
                break
        return curable

    def _passes(self, flows: list[Asked], chosen: ChangeSet) -> dict[str, bool] | None:
        """Whether each flow passes with only these changed; None once a limit is reached."""
        passes = self._try(chosen, flows)
        if passes is not None and len(chosen) == 1:
            self.causes.add(chosen[0].cause)
        return passes

    def _try(self, chosen: ChangeSet, flows: list[Asked], patience: float = PATIENCE) -> dict[str, bool] | None:
        """Whether each flow passes with only these changed, for which silence is waited so long."""
        key = (frozenset(c.key for c in chosen), patience)
        if key not in self._known:
            if self._is_over():
                return None
            self._known[key], _ = self._attempt(chosen, flows, {}, look=False, patience=patience)
        return self._known[key]

    def _attempt(
        self,
        chosen: Sequence[Intervention],
        flows: list[Asked],
        pool: dict[tuple[str, str], Intervention],
        *,
        look: bool,
        patience: float = PATIENCE,
    ) -> tuple[dict[str, bool], list[tuple[Asked, Walk]]]:
        twin = self._copy()
        try:
            for candidate in chosen:
                try:
                    twin.run(candidate.make, candidate.where)
                except (NetdoctorError, OSError) as error:
                    self.refused[candidate.name] = str(error)
                    pool.pop(candidate.key, None)
            replies = twin.ask_all([asked.flow for asked in flows], patience)
            passes = {asked.name: asked.passes(reply) for asked, reply in zip(flows, replies, strict=True)}
            lost = [asked for asked in flows if look and not passes[asked.name]]
            ways = []
            if lost:
                with Tracer(twin, texts=False) as tracer:
                    ways = [(asked, tracer.walk(asked.flow)) for asked in lost]
        finally:
            self._put_aside(twin)
        return passes, ways

    def _put_aside(self, twin: Twin) -> None:
        """Close it with others, later: while the kernel removes namespaces, new ones take several times as long."""
        self._spent.append(twin)
        if len(self._spent) > SPENT or len(self.state.node.nftables) > SMALL:
            self._close_spent()

    def _close_spent(self) -> None:
        while self._spent:
            with suppress(IndexError):  # another thread closes the last one
                self._spent.pop().close()

    def _try_opposites(
        self, cures: Iterable[ChangeSet], pool: dict[tuple[str, str], Intervention], flows: list[Asked]
    ) -> None:
        """Try, side by side, what decides whether each of these cures is necessary."""
        rests = {
            frozenset(c.key for c in rest): rest for cure in cures if (rest := everything_else(cure, pool.values()))
        }
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(lambda rest: self._try(rest, flows, DOUBT), rests.values()))

    def _judged(
        self,
        found: Found,
        cures: list[ChangeSet],
        pool: dict[tuple[str, str], Intervention],
        flows: list[Asked],
    ) -> Found:
        """What was found of a flow, with its cures, and whether each of them is necessary."""
        if not cures:
            return found
        fails = partial(self._fails, found.asked, flows)
        necessary = tuple(is_necessary(cure, pool.values(), fails) for cure in cures)
        return replace(found, cures=tuple(cures), necessary=necessary)

    def _fails(self, asked: Asked, flows: list[Asked], chosen: ChangeSet) -> bool:
        """Whether a flow surely fails with these changed: this silence is waited for."""
        passes = self._try(chosen, flows, DOUBT)
        if passes is None or passes.get(asked.name) is not False:
            return False
        self.causes |= {c.cause for c in chosen}  # none of them is enough alone
        return True

    def _is_over(self) -> bool:
        self.cut_short = self.cut_short or self.limit.reached_by(self.copies)
        return bool(self.cut_short)
