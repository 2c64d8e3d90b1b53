"""When packets of pods are accepted, by what was tried on copies, and when a person has to decide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.changes import as_data
from netdoctor.changes._accepted import Accepted
from netdoctor.changes.accept_rules import IPTABLES, AcceptRules
from netdoctor.changes.cni_forward import JUMP, RestoreCniForward
from netdoctor.changes.file import WriteFile
from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset
from netdoctor.facts.traffic.experiments import Experiments, Trial, Tried
from netdoctor.model import Change, NotApplicable
from netdoctor.remedies.host.accept_pod_network import accept_pod_network
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import Dropped

pytestmark = pytest.mark.usefixtures("no_systemd")

CAUSE = "packets-dropped-by-rule"
RULES = (Accepted(source="10.244.0.0/16", interface_in="cni0"),)
FORWARD = AcceptRules(IPTABLES, "ip", "filter", "FORWARD", "", RULES)
INPUT = AcceptRules(IPTABLES, "ip", "filter", "INPUT", "-A INPUT -j DROP", RULES)


def tried(*changes: AcceptRules, cause: str = CAUSE) -> Tried:
    return Tried("accept-packets", cause, "it drops", "with", False, (), tuple(map(as_data, changes)))


def experiments(*cures: tuple[Tried, ...]) -> Experiments:
    """One trial for each smallest cure."""
    trials = [
        Trial(f"flow {number}", "pod", "silent", "silent", True, False, Dropped(), "", "", (cure,), (True,))
        for number, cure in enumerate(cures)
    ]
    return Experiments(tuple(trials), (), 1, 0.1)


def wanted(*cures: tuple[Tried, ...], host: Host | None = None, rules: Ruleset = EMPTY) -> list[Change]:
    return list(accept_pod_network.plan((), experiments(*cures), Iptables(rules, EMPTY), host or Host()))


def test_each_chain_once() -> None:
    assert wanted((tried(FORWARD),), (tried(FORWARD), tried(INPUT)), (tried(INPUT),)) == [FORWARD, INPUT]


def test_files_make_them_again_where_systemd_runs(no_systemd: Path) -> None:
    (no_systemd / "run").mkdir()
    first, second, *files = wanted((tried(FORWARD), tried(INPUT)))
    assert [first, second] == [replace(FORWARD, at_boot=True), replace(INPUT, at_boot=True)]
    script, unit, wants = [file for file in files if isinstance(file, WriteFile)]
    assert script.path == str(no_systemd / "accept.sh")
    assert "accept iptables-nft FORWARD '' -s 10.244.0.0/16 -i cni0" in script.text
    assert "accept iptables-nft INPUT '-A INPUT -j DROP' -s 10.244.0.0/16" in script.text
    assert f"ExecStart=/bin/sh {script.path}\n" in unit.text
    assert "Wants=netdoctor-accept.service" in wants.text


def test_no_file_is_written_for_a_recorded_node(no_systemd: Path) -> None:
    (no_systemd / "run").mkdir()
    assert wanted((tried(FORWARD),), host=Host(live=False)) == [FORWARD]


def test_a_rule_that_is_somebodys_is_left_to_a_person_and_all_else_with_it() -> None:
    with pytest.raises(NotApplicable, match="somebody may have written it to block something: it drops"):
        wanted((tried(FORWARD),), (tried(),))


def test_the_cnis_own_chain_is_led_to_again_where_its_jump_was_flushed() -> None:
    flushed = "*filter\n:FORWARD DROP [0:0]\n:CNI-FORWARD - [0:0]\nCOMMIT\n"
    jump = f"-A {JUMP}\nCOMMIT"
    assert wanted((tried(FORWARD),), rules=Ruleset.parse(flushed)) == [RestoreCniForward(), FORWARD]
    assert wanted((tried(FORWARD),), rules=Ruleset.parse(flushed.replace("COMMIT", jump))) == [FORWARD]
    assert wanted((tried(FORWARD),), rules=Ruleset.parse(flushed.replace(":CNI-FORWARD - [0:0]\n", ""))) == [FORWARD]
    assert wanted(rules=Ruleset.parse(flushed)) == []


def test_what_has_another_cause_is_none_of_it() -> None:
    assert wanted((tried(cause="ip-forward-disabled"),)) == []
    assert wanted() == []
