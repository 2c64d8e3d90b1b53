"""Facts: once per run, whoever asks; a failure is remembered, and never takes another fact with it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts import Facts, Finalizers, parameters
from netdoctor.system.host import Host


@dataclass(frozen=True)
class Slow:
    """a slow thing"""

    calls: ClassVar[list[str]] = []
    value: int

    @classmethod
    def collect(cls, host: Host) -> Slow:
        cls.calls.append(threading.current_thread().name)
        time.sleep(0.05)
        return cls(len(cls.calls))


@dataclass(frozen=True)
class Unreadable:
    calls: ClassVar[list[int]] = []

    @classmethod
    def collect(cls) -> Unreadable:
        cls.calls.append(1)
        raise CannotRead("/proc/secret", "Permission denied")


@dataclass(frozen=True)
class Mistaken:
    @classmethod
    def collect(cls) -> Mistaken:
        nothing: dict[str, Mistaken] = {}
        return nothing["here"]


@dataclass(frozen=True)
class Misgiven:
    """a thing that the user gave"""

    @classmethod
    def collect(cls) -> Misgiven:
        raise BadInput("VARIABLE is not a URL")


@dataclass(frozen=True)
class Above:
    slow: int
    without: str

    @classmethod
    def collect(cls, slow: Slow, other: Unreadable | CannotRead) -> Above:
        return cls(slow.value, str(other))


@dataclass(frozen=True)
class Strict:
    @classmethod
    def collect(cls, other: Unreadable) -> Strict:
        return cls()


def test_collected_once_under_many_threads() -> None:
    Slow.calls.clear()
    facts = Facts()
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda _: facts.get(Slow), range(320)))
    assert len(Slow.calls) == 1
    assert all(fact is found[0] for fact in found)
    assert facts.seconds[Slow] >= 0.05


def test_a_failure_is_remembered() -> None:
    Unreadable.calls.clear()
    facts = Facts()
    for _ in range(3):
        with pytest.raises(CannotRead, match="/proc/secret: Permission denied"):
            facts.get(Unreadable)
    assert len(Unreadable.calls) == 1
    assert isinstance(facts.known()[Unreadable], CannotRead)


def test_one_may_go_on_without_a_fact_or_not() -> None:
    facts = Facts()
    assert facts.get(Above).without == "/proc/secret: Permission denied"
    with pytest.raises(CannotRead, match="/proc/secret"):
        facts.get(Strict)


def test_a_collectors_mistake_is_a_fact_that_cannot_be_read() -> None:
    facts = Facts()
    with pytest.raises(CannotRead, match="KeyError"):
        facts.get(Mistaken)
    with pytest.raises(CannotRead, match="a thing that the user gave: VARIABLE is not a URL"):
        facts.get(Misgiven)
    assert facts.get(Slow)


def test_what_was_given_is_not_collected() -> None:
    Slow.calls.clear()
    facts = Facts({Slow: Slow(99), Unreadable: CannotRead("x", "y")})
    assert facts.get(Slow).value == 99
    with pytest.raises(CannotRead, match="x: y"):
        facts.get(Unreadable)
    assert Slow.calls == []


def test_a_recording_collects_nothing() -> None:
    Slow.calls.clear()
    with pytest.raises(CannotRead, match="it does not hold Slow"):
        Facts({}, live=False).get(Slow)
    assert Slow.calls == []


def test_facts_side_by_side() -> None:
    kinds = []
    for number in range(8):

        def collect(cls: type) -> object:
            time.sleep(0.4)
            return cls()

        kinds.append(type(f"Sleeper{number}", (), {"collect": classmethod(collect)}))
    facts = Facts()
    begin = time.monotonic()
    facts.prefetch(kinds)
    assert facts.waiting_for()
    for kind in kinds:
        facts.get(kind)
    assert time.monotonic() - begin < 2.5  # one after the other they take 3.2 s


def test_parameters() -> None:
    def probe(findings: tuple[int, ...], slow: Slow, other: Unreadable | CannotRead) -> None: ...

    assert [(w.kind, w.even_if_unread) for w in parameters(probe, skip=1)] == [(Slow, False), (Unreadable, True)]
    assert [w.kind for w in parameters(Above.collect)] == [Slow, Unreadable]


def test_finalizers_run_newest_first_once_and_at_once_when_late() -> None:
    said: list[str] = []
    finalizers = Finalizers()
    finalizers.add(lambda: said.append("first"))
    finalizers.add(lambda: said.append("second"))
    finalizers.close()
    finalizers.close()
    assert said == ["second", "first"]
    finalizers.add(lambda: said.append("late"))
    assert said == ["second", "first", "late"]


def test_every_finalizer_runs_though_one_fails() -> None:
    said: list[str] = []
    facts = Facts()
    facts.finalizers.add(lambda: said.append("kept"))
    facts.finalizers.add(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        facts.close()
    assert said == ["kept"]


@dataclass(frozen=True)
class Endless:
    """an endless source"""

    @classmethod
    def collect(cls) -> Endless:
        time.sleep(30)
        return cls()


@pytest.mark.thorough
def test_a_source_that_answers_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netdoctor.facts.LONGEST", 0.3)
    begin = time.monotonic()
    with pytest.raises(CannotRead, match="an endless source: no answer within"):
        Facts().get(Endless)
    assert time.monotonic() - begin < 15  # a busy machine gives it longer
