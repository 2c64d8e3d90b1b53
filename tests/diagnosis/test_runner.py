"""Every probe has a result: silence is not a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.runner import run
from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.model import Evidence, Finding, NotApplicable, Outcome, Probe


def passing() -> Iterator[Finding]:
    return iter(())


def failing() -> Iterator[Finding]:
    yield Finding("it is broken", (Evidence("a", "b", "c"),))


def refusal(error: Exception) -> Iterator[Finding]:
    raise error


def not_applicable() -> Iterator[Finding]:
    yield from refusal(NotApplicable("no such thing here"))


def unreadable() -> Iterator[Finding]:
    yield from refusal(CannotRead("somewhere", "denied"))


def mistaken() -> Iterator[Finding]:
    yield Finding("half", (Evidence("a", "b", "c"),))
    raise ZeroDivisionError("oh")


UNKNOWN_A = "it is not known whether a"


def results_of(**functions: tuple[Callable[[], Iterator[Finding]], tuple[str, ...]]) -> dict[str, tuple[Outcome, str]]:
    probes = {name: Probe(name, function, requires, (), False, "") for name, (function, requires) in functions.items()}
    results = run(Catalogue.of(probes, {}), Facts({}, live=False))
    assert set(results) == set(functions)
    return {name: (result.outcome, result.reason) for name, result in results.items()}


@pytest.mark.parametrize(
    ("function", "outcome", "reason"),
    [
        (passing, Outcome.PASS, ""),
        (failing, Outcome.FAIL, ""),
        (not_applicable, Outcome.NOT_APPLICABLE, "no such thing here"),
        (unreadable, Outcome.UNKNOWN, "somewhere: denied"),
        (mistaken, Outcome.UNKNOWN, "the probe itself failed: ZeroDivisionError in test_runner.py, line 38"),
    ],
)
def test_outcome(function: Callable[[], Iterator[Finding]], outcome: Outcome, reason: str) -> None:
    assert results_of(a=(function, ())) == {"a": (outcome, reason)}


@pytest.mark.parametrize(
    ("function", "reason"),
    [(failing, "a"), (unreadable, UNKNOWN_A), (mistaken, UNKNOWN_A)],
)
def test_blocked_by_what_did_not_pass(function: Callable[[], Iterator[Finding]], reason: str) -> None:
    found = results_of(a=(function, ()), b=(passing, ("a",)), c=(passing, ("b",)), d=(passing, ()))
    assert found["b"] == (Outcome.BLOCKED, reason)
    assert found["c"] == (Outcome.BLOCKED, "it is not known whether b")
    assert found["d"][0] is Outcome.PASS


def test_what_does_not_apply_makes_its_dependents_not_apply() -> None:
    found = results_of(a=(not_applicable, ()), b=(passing, ("a",)), c=(passing, ("b",)))
    assert found["b"] == found["c"] == (Outcome.NOT_APPLICABLE, "no such thing here")


def test_a_failure_counts_more_than_what_does_not_apply() -> None:
    found = results_of(a=(not_applicable, ()), b=(failing, ()), c=(passing, ("a", "b")))
    assert found["c"][0] is Outcome.BLOCKED


def test_only_some_and_what_they_require() -> None:
    probes = {
        name: Probe(name, passing, requires, (), False, "")
        for name, requires in (("a", ()), ("b", ("a",)), ("c", ()), ("d", ("b",)))
    }
    assert list(run(Catalogue.of(probes, {}), Facts({}, live=False), ["b"])) == ["a", "b"]


def test_findings_carry_their_probe() -> None:
    probes = {"a": Probe("a", failing, (), (), False, "")}
    assert [f.probe for f in run(Catalogue.of(probes, {}), Facts({}, live=False))["a"].findings] == ["a"]
