"""Which repairs a run makes: each in one run of three, and at once what a change touches."""

from __future__ import annotations

import pytest

from tests.rotation import EVERY_GATE, EVERY_REPAIR, chosen

REMEDIES = {f"fault-{number}": ("enable-ip-forward",) for number in range(7)} | {"other": ("resync-kube-proxy",)}
NOTHING = frozenset(["README.md"])


def test_three_commits_in_turn_repair_everything_once() -> None:
    runs = [chosen(REMEDIES, commit, NOTHING, EVERY_REPAIR) for commit in ("a0", "a1", "a2")]
    assert sorted(name for run in runs for name in run) == sorted(REMEDIES)


@pytest.mark.parametrize(
    ("changed", "repaired"),
    [
        ("remedies/host/resync_kube_proxy.py", {"other"}),
        ("tests/faults/other.yaml", {"other"}),
        ("probes/host/other.py", set()),
    ],
)
def test_what_a_change_touches_is_repaired_in_any_case(changed: str, repaired: set[str]) -> None:
    runs = [chosen(REMEDIES, commit, frozenset([changed]), EVERY_REPAIR) for commit in ("a0", "a1", "a2")]
    assert frozenset.intersection(*runs) == repaired


@pytest.mark.parametrize("changed", ["netdoctor/changes/file.py", "netdoctor/repair/journal.py"])
@pytest.mark.parametrize("commit", ["a0", "a1", "a2"])
def test_what_touches_every_remedy_makes_each_once(changed: str, commit: str) -> None:
    run = chosen(REMEDIES, commit, frozenset([changed]), EVERY_REPAIR)
    assert {remedy for name in run for remedy in REMEDIES[name]} == {"enable-ip-forward", "resync-kube-proxy"}
    assert run >= chosen(REMEDIES, commit, NOTHING, EVERY_REPAIR)
    assert run < set(REMEDIES)


def test_a_change_of_the_gate_asks_every_gate_and_repairs_nothing_more() -> None:
    changed = frozenset(["netdoctor/diagnosis/gate.py"])
    assert chosen(dict.fromkeys(REMEDIES, ()), "a0", changed, EVERY_GATE) == set(REMEDIES)
    assert chosen(REMEDIES, "a0", changed, EVERY_REPAIR) == chosen(REMEDIES, "a0", NOTHING, EVERY_REPAIR)
