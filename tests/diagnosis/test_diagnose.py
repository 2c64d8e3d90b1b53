"""Causes and symptoms: scoped by subject, two roots are both named, and nothing is dropped."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.model import Confidence, Diagnosis, Finding, Outcome, Probe, Result, Severity, Subject

N1, N2, ANYWHERE = Subject(node="n1"), Subject(node="n2"), Subject()


def graph(**explains: str) -> Catalogue:
    """Probes by name with what they explain; names in capitals are symptoms."""
    probes = {
        name: Probe(name, lambda: iter(()), (), tuple(others.split()), name.isupper(), "")
        for name, others in explains.items()
    }
    return Catalogue.of(probes, {})


def found(catalogue: Catalogue, *findings: Finding) -> tuple[Diagnosis, ...]:
    results = {
        name: Result(name, Outcome.FAIL if any(f.probe == name for f in findings) else Outcome.PASS,
                     tuple(f for f in findings if f.probe == name))
        for name in catalogue.probes
    }  # fmt: skip
    return diagnose(catalogue, results)


def finding(probe: str, subject: Subject = N1, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(f"{probe} on {subject}", (), subject, severity, probe=probe)


def story(diagnoses: Iterable[Diagnosis]) -> list[tuple[str, list[str]]]:
    return [(d.cause.probe, [f.probe for f in d.symptoms]) for d in diagnoses]


def test_a_chain_has_one_root() -> None:
    chain = graph(a="b", b="C", C="")
    assert story(found(chain, finding("C"), finding("b"), finding("a"))) == [("a", ["b", "C"])]


def test_a_missing_link_does_not_hide_the_end() -> None:
    chain = graph(a="b", b="C", C="")
    assert story(found(chain, finding("C"), finding("a"))) == [("a", []), ("C", [])]


def test_two_roots_are_both_named() -> None:
    both = graph(a="S", b="S", S="")
    assert story(found(both, finding("a"), finding("b"), finding("S"))) == [("a", ["S"]), ("b", ["S"])]


def test_what_somebody_has_asked_for_has_no_other_reason() -> None:
    chain = graph(a="b", b="C", C="")
    scaled = replace(finding("b"), wanted=True)
    assert story(found(chain, finding("C"), scaled, finding("a"))) == [("b", ["C"]), ("a", [])]


def test_a_symptom_alone_is_unexplained() -> None:
    (only,) = found(graph(a="S", S=""), finding("S"))
    assert (only.cause.probe, only.unexplained) == ("S", True)


@pytest.mark.parametrize(
    ("cause", "symptom", "explained"),
    [
        (N1, N1, True),
        (N1, N2, False),
        (N1, ANYWHERE, False),  # a symptom that is not localised is more than one node's
        (ANYWHERE, N1, True),
        (N1, Subject(node="n1", namespace="default", service="postgres"), True),
        (Subject(namespace="default", service="postgres"), Subject(node="n1", namespace="default", service="postgres"),
         True),
        (Subject(namespace="default", service="a"), Subject(namespace="default", service="b"), False),
        (Subject(upstream="8.8.8.8:53"), N1, False),
    ],
)  # fmt: skip
def test_the_subject_scopes(cause: Subject, symptom: Subject, explained: bool) -> None:
    diagnoses = found(graph(a="S", S=""), finding("a", cause), finding("S", symptom))
    assert story(diagnoses) == ([("a", ["S"])] if explained else [("a", []), ("S", [])])


def test_one_probe_with_findings_on_two_nodes() -> None:
    diagnoses = found(graph(a="S", S=""), finding("a", N1), finding("S", N1), finding("S", N2))
    assert [(d.cause.probe, d.cause.subject, len(d.symptoms)) for d in diagnoses] == [("a", N1, 1), ("S", N2, 0)]


def test_a_warning_does_not_explain_an_error() -> None:
    diagnoses = found(graph(a="S", S=""), finding("a", severity=Severity.WARNING), finding("S"))
    assert story(diagnoses) == [("S", []), ("a", [])]
    weak = found(graph(a="S", S=""), finding("a"), finding("S", severity=Severity.WARNING))
    assert story(weak) == [("a", ["S"])]


def test_order_errors_causes_and_what_explains_most_first() -> None:
    everything = graph(warned="", small="S", large="S T", X="", S="", T="")
    diagnoses = found(everything, finding("warned", severity=Severity.WARNING), finding("X"), finding("small"),
                      finding("large"), finding("S"), finding("T"))  # fmt: skip
    assert [d.cause.probe for d in diagnoses] == ["large", "small", "X", "warned"]


def test_nothing_is_dropped_in_any_graph() -> None:
    dice = random.Random(11)
    for _ in range(300):
        names = [f"p{n}" if dice.random() < 0.6 else f"P{n}" for n in range(dice.randint(1, 9))]
        catalogue = graph(
            **{
                name: " ".join(other for other in names[place + 1 :] if dice.random() < 0.35)
                for place, name in enumerate(names)
            }
        )
        failing = [
            finding(name, dice.choice([N1, N2, ANYWHERE]), dice.choice(list(Severity)))
            for name in names for _ in range(dice.choice([0, 1, 1, 2]))
        ]  # fmt: skip
        diagnoses = found(catalogue, *failing)
        shown = [f for d in diagnoses for f in (d.cause, *d.symptoms)]
        assert all(f in shown for f in failing)
        assert all(f in failing for f in shown)
        for diagnosis in diagnoses:
            assert diagnosis.cause not in diagnosis.symptoms
            assert diagnosis.unexplained == catalogue.probes[diagnosis.cause.probe].symptom


def test_nothing_is_confirmed_that_nobody_says_is() -> None:
    silent = finding("ip-forward-disabled")
    assert silent.confidence is Confidence.LIKELY
    assert Diagnosis(silent).confidence is Confidence.LIKELY
