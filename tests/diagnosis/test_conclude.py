"""Diagnoses held against experiments: confirmed, weakened, named, or told apart from what is beyond the node."""

from __future__ import annotations

from dataclasses import replace

from netdoctor.diagnosis.conclude import verified
from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.proof_sentence import proof
from netdoctor.diagnosis.runner import run
from netdoctor.facts import Facts
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.facts.traffic.failed_flows import HOST_TO_OUTSIDE
from netdoctor.facts.traffic.reach import Reach
from netdoctor.model import Confidence, Diagnosis, Severity
from tests.builders import NO_ROUTE, SILENT, experiments, failed_flow, sysctls, tried, upstream_answers
from tests.worlds import catalogue, unread, world


def judged(facts: Facts) -> tuple[Diagnosis, ...]:
    """What `check` would say."""
    results = run(catalogue(), facts)
    found = facts.known()[Experiments]
    assert isinstance(found, Experiments)
    return verified(catalogue(), diagnose(catalogue(), results), found)


def forwarding_off(made: Experiments) -> Facts:
    return world(sysctls("0"), upstream_answers(pods=SILENT), failed_flow(), made)


def said(diagnosis: Diagnosis) -> str:
    return " ".join(f"{e.source} {e.observed}" for e in diagnosis.cause.evidence)


def test_a_cause_that_an_experiment_shows_is_confirmed() -> None:
    (first,) = judged(forwarding_off(experiments((tried("ip-forward-disabled"),))))
    assert first.cause.probe == "ip-forward-disabled"
    assert first.confidence is Confidence.CONFIRMED
    assert "passes with only this changed: it is as usual; it does not pass with every other change" in said(first)


def test_a_cause_that_an_experiment_refutes_is_likely_at_most() -> None:
    made = experiments((tried("packets-dropped-by-rule"),))
    both = Experiments(made.trials, (), 5, 1.0, "", ("ip-forward-disabled", "packets-dropped-by-rule"))
    (first,) = judged(forwarding_off(both))
    assert first.cause.probe == "ip-forward-disabled"
    assert first.confidence is Confidence.LIKELY
    assert "passes without this being repaired" in said(first)


def test_what_was_never_tried_is_not_refuted() -> None:
    (first,) = judged(forwarding_off(experiments((tried("packets-dropped-by-rule"),))))
    assert first.confidence is Confidence.CONFIRMED
    assert "copy of the node" not in said(first)


def test_a_search_that_was_cut_short_confirms_nothing_that_it_did_not_try() -> None:
    whole = experiments((tried("ip-forward-disabled"),))
    (sure,) = judged(forwarding_off(replace(whole, cut_short="60 copies")))
    assert sure.confidence is Confidence.CONFIRMED  # this one was tried to its end

    half = replace(whole, cut_short="60 copies", trials=(replace(whole.trials[0], necessary=(False,)),))
    (doubted,) = judged(forwarding_off(half))
    assert doubted.confidence is Confidence.LIKELY
    assert "the experiments ended after 60 copies" in said(doubted)

    none = replace(whole, cut_short="60 copies", trials=(replace(whole.trials[0], cures=(), necessary=()),))
    (untried,) = judged(forwarding_off(none))
    assert untried.confidence is Confidence.LIKELY
    assert "the experiments ended after 60 copies" in said(untried)


def test_a_pair_says_that_both_are_needed() -> None:
    (first,) = judged(forwarding_off(experiments((tried("ip-forward-disabled"), tried("packets-dropped-by-rule")))))
    assert "only with all of this changed" in said(first)


def test_a_symptom_that_no_probe_explains_gets_the_cause_that_cured_it() -> None:
    facts = world(
        upstream_answers(pods=SILENT), failed_flow(), experiments((tried("kube-proxy-rules-missing", "odd"),))
    )
    (first,) = judged(facts)
    assert (first.cause.probe, first.cause.summary, first.unexplained) == ("found-by-experiment", "odd", False)
    assert first.symptoms[0].probe == "pod-to-outside-blocked"
    assert first.remedies == ()  # `fix` proves a repair by the probe that failed, and none did
    assert first.cause.severity is Severity.ERROR


def test_what_cured_a_symptom_says_what_to_type() -> None:
    both = tried("kube-proxy-rules-missing", "odd", "sudo a"), tried("packets-dropped-by-rule", "even", "sudo b")
    (first,) = judged(world(upstream_answers(pods=SILENT), failed_flow(), experiments(both)))
    assert first.cause.by_hand == ("sudo a", "sudo b")


def test_half_a_cure_is_nothing_to_type() -> None:
    both = tried("kube-proxy-rules-missing", "odd"), tried("packets-dropped-by-rule", "even", "sudo b")
    (first,) = judged(world(upstream_answers(pods=SILENT), failed_flow(), experiments(both)))
    assert first.cause.by_hand == ()


def test_a_probe_without_a_command_gets_the_one_that_cured_its_flow() -> None:
    command = "sudo ip route add default via 192.0.2.1 dev eth0"
    made = experiments((tried("default-route-missing", "no route", command),))
    made = replace(made, trials=(replace(made.trials[0], kind=HOST_TO_OUTSIDE),))
    (first,) = judged(world(Links((), ()), upstream_answers(NO_ROUTE, NO_ROUTE), failed_flow(NO_ROUTE), made))
    assert (first.cause.probe, first.cause.by_hand) == ("default-route-missing", (command,))


def test_a_cause_with_a_remedy_has_nothing_to_type() -> None:
    (first,) = judged(forwarding_off(experiments((tried("ip-forward-disabled", "odd", "sudo a"),))))
    assert first.remedies
    assert first.cause.by_hand == ()


def test_what_passes_in_the_copy_is_said_to_be_lost_elsewhere() -> None:
    (first,) = judged(world(upstream_answers(pods=SILENT), failed_flow(), experiments(passes=True)))
    assert first.unexplained
    assert "beyond the node" in said(first)
    (copied,) = [each for each in first.cause.evidence if each.source.startswith("copy of the node")]
    assert copied.expected == "it succeeds", "nobody expects what failed on the node"


def test_with_a_program_on_the_way_nothing_is_confirmed() -> None:
    made = experiments((tried("ip-forward-disabled"),), programs=("eth0 (xdp)",))
    (first,) = judged(forwarding_off(made))
    assert first.confidence is Confidence.LIKELY
    unnamed = experiments((tried("kube-proxy-rules-missing", "odd"),), programs=("eth0 (xdp)",))
    (named,) = judged(world(upstream_answers(pods=SILENT), failed_flow(), unnamed))
    assert (named.cause.probe, named.confidence) == ("found-by-experiment", Confidence.LIKELY)


def test_without_experiments_nothing_changes() -> None:
    results = run(catalogue(), world(sysctls("0"), upstream_answers(pods=SILENT), unread=unread(Experiments, Reach)))
    found = diagnose(catalogue(), results)
    assert verified(catalogue(), found, None) == found


def test_a_proof_counts_every_connection_that_failed() -> None:
    """Those that work with the change alone, those that need a further one, and those with another cause."""
    own, further, others = tried("its-own"), tried("further"), tried("others")
    cures = [(own,), (own,), (own, further), (others,)]
    trials = [experiments(cure).trials[0] for cure in cures]
    shown = [(trial, cure, True) for trial, cure in zip(trials, cures, strict=True) if own in cure]
    sentence = proof(shown, trials)
    assert "2 of 4 failing connections work after this change, and after no other: " in sentence
    assert sentence.endswith(" (1 more needs another change as well, 1 has another cause)")
    assert "(" not in proof(shown[:2], trials[:2])


def test_a_proof_counts_connections_without_a_cure() -> None:
    cured, uncured = experiments((tried("its-own"),)).trials[0], experiments(asked=True).trials[0]
    shown = [(cured, cured.cures[0], True)]
    assert "(" not in proof(shown, [cured])
    assert proof(shown, [cured, uncured]).endswith(" (1 still fails)")
    unchanged = replace(uncured, passes=True)
    assert proof(shown, [cured, unchanged, uncured]).endswith(" (1 works there without a change, 1 still fails)")


def test_a_symptom_named_by_its_cure_counts_every_connection_that_it_cures() -> None:
    made = experiments((tried("kube-proxy-rules-missing", "odd"),))
    made = replace(made, trials=made.trials * 3)
    (named,) = judged(world(upstream_answers(pods=SILENT), failed_flow(), made))
    assert named.cause.probe == "found-by-experiment"
    assert "3 of 3 failing connections work after this change" in named.proof


def test_the_packet_to_trace_is_one_that_the_cause_itself_stops() -> None:
    own, others = tried("ip-forward-disabled"), tried("others")
    made = experiments((others,))
    trials = [replace(made.trials[0], packet="others"), replace(experiments((own,)).trials[0], packet="its-own")]
    (first,) = judged(forwarding_off(replace(made, trials=tuple(trials))))
    assert (first.cause.probe, first.see) == ("ip-forward-disabled", "its-own")
