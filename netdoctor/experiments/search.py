"""Which smallest change lets a lost packet pass: each candidate is tried on a fresh copy of the node.

First all candidates at once; what does not pass then is not curable by them, and is looked at again for what stands
behind the first obstacle. Then each alone, and remedies two by two. Where that is not enough, the whole set is made
smaller for as long as the packet still passes. Last the opposite: with everything changed but the smallest set, the
packet has to fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import combinations

from netdoctor.errors import NetdoctorError
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, proposed
from netdoctor.experiments.work_limit import WorkLimit
from netdoctor.system.host import Host
from netdoctor.system.legacy_iptables import grown, legacy_counters
from netdoctor.system.nft_trace import Dropped
from netdoctor.system.patience import patience
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.asked import PATIENCE, Asked
from netdoctor.twin.build import Settings, build
from netdoctor.twin.state import State
from netdoctor.twin.twin import DOUBT, Twin, alike
from netdoctor.twin.walk import Tracer, Walk

AT_ONCE = 2  # copies that are built and asked side by side
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
    cures: tuple[tuple[Intervention, ...], ...] = ()  # smallest sets, each enough alone
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
    _known: dict[tuple[frozenset[tuple[str, str]], float], dict[str, bool]] = field(default_factory=dict)

    def run(self, flows: Sequence[Asked], candidates: Iterable[Intervention]) -> list[Found]:
        """Ask each flow in a copy, and search cures for those that fail there as on the node. Raises CannotRead."""
        with closing(self._copy()) as twin:
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

    def _searched(self, found: list[tuple[Found, Walk | None]], candidates: Iterable[Intervention]) -> list[Found]:
        """What was found, with cures for what fails in the copy as on the node."""
        open_flows = [f.asked for f, _ in found if f.alike]
        pool = {c.key: c for c in candidates}
        for first, way in found:
            if first.alike and way:
                pointed_to = list(proposed(self.situation_of(first.asked, way, first.legacy)))
                pool |= {c.key: c for c in pointed_to}
                self._seen |= {c.cause for c in pointed_to}
        if not open_flows or not pool:
            return [f for f, _ in found]
        curable = self._all(open_flows, pool)
        cures = self._cures(open_flows, curable, pool)
        for asked in curable:
            if not cures[asked.name] and (found_set := self._smaller(asked, open_flows, list(pool.values()))):
                cures[asked.name].append(found_set)
        return [self._judged(f, cures.get(f.asked.name, []), pool, open_flows) for f, _ in found]

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

    def _cures(
        self, flows: list[Asked], curable: list[Asked], pool: dict[tuple[str, str], Intervention]
    ) -> dict[str, list[tuple[Intervention, ...]]]:
        """What cures each flow: one candidate alone, else two remedies together; no more once every flow has one.

        Remedies are tried first, and of them what the walks point to.
        """
        cures: dict[str, list[tuple[Intervention, ...]]] = {asked.name: [] for asked in flows}
        ordered = sorted(pool.values(), key=lambda c: (not c.remedy, c.cause not in self._seen))
        alone = [(each,) for each in ordered]
        both = [*combinations((each for each in ordered if each.remedy), 2)]
        for sets in (alone, both):
            for start in range(0, len(sets), AT_ONCE):
                if curable and all(cures[asked.name] for asked in curable):
                    return cures
                part = sets[start : start + AT_ONCE]
                with ThreadPoolExecutor(AT_ONCE) as threads:
                    for chosen, passes in zip(part, threads.map(lambda c: self._try(c, flows), part), strict=True):
                        self.causes |= {each.cause for each in chosen if passes and each.key in pool}
                        for name in (name for name, fine in passes.items() if fine):
                            if len(chosen) == 1 or not cures[name]:
                                cures[name].append(chosen)
        return cures

    def _try(self, chosen: Sequence[Intervention], flows: list[Asked], patience: float = PATIENCE) -> dict[str, bool]:
        """Whether each flow passes with only these changed."""
        key = (frozenset(c.key for c in chosen), patience)
        if key not in self._known:
            if self._is_over():
                return {}
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
            twin.close()
        return passes, ways

    def _smaller(self, asked: Asked, flows: list[Asked], whole: list[Intervention]) -> tuple[Intervention, ...]:
        """A smallest set within the whole one: whatever can be left out is, what is no remedy first.

        None at all when the limit is reached before that is done.
        """
        kept = list(whole)
        for candidate in sorted(whole, key=lambda c: c.remedy):
            fewer = [c for c in kept if c is not candidate]
            if self._try(fewer, flows).get(asked.name):
                kept = fewer
        return () if self.cut_short else tuple(kept)

    def _judged(
        self,
        found: Found,
        cures: list[tuple[Intervention, ...]],
        pool: dict[tuple[str, str], Intervention],
        flows: list[Asked],
    ) -> Found:
        if not cures:
            return found
        necessary = []
        for cure in cures:
            same = {c.cause for c in cure} - {UNNAMED}  # another way to take away the same cause is nothing else
            rest = [c for c in pool.values() if c not in cure and c.cause not in same]
            fails = not rest or self._fails(rest, found.asked, flows)
            if fails:  # then none of them is enough alone
                self.causes |= {c.cause for c in rest}
            necessary.append(fails)
        return replace(found, cures=tuple(cures), necessary=tuple(necessary))

    def _fails(self, chosen: list[Intervention], asked: Asked, flows: list[Asked]) -> bool:
        """Whether a flow surely fails with these changed: this silence is waited for."""
        return self._try(chosen, flows, DOUBT).get(asked.name) is False

    def _is_over(self) -> bool:
        self.cut_short = self.cut_short or self.limit.reached_by(self.copies)
        return bool(self.cut_short)
