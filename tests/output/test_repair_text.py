"""A repair in words: what a terminal of 80 columns shows of a plan, of its rehearsal and of its end."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from netdoctor.changes.direct_rules import RemoveDirectRules, Rule
from netdoctor.changes.file import WriteFile
from netdoctor.changes.firewalld import TrustSource
from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.changes.masquerade import PodRules, RestoreMasquerade
from netdoctor.changes.module import LoadModule
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.diagnosis.check import Look
from netdoctor.errors import CannotRead, Exposed
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.model import Access, Change, Diagnosis, Evidence, Finding, Outcome, Result
from netdoctor.output.console import shown_on
from netdoctor.output.rehearsal_text import lines
from netdoctor.output.repair_text import as_json, end_lines, nothing_made_lines, plan_lines, step_line, tally_lines
from netdoctor.rehearsal.exposure import ExposedFlow
from netdoctor.rehearsal.rehearsal import Rehearsal, TriedFlow, insist
from netdoctor.repair.executor import Outcomes, StepEnd, StepOutcome
from netdoctor.repair.plan import NotRepairable, Plan, Step
from netdoctor.twin.twin import OUTSIDE, Flow
from tests.worlds import catalogue, world

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
UPDATE = os.environ.get("NETDOCTOR_UPDATE_SNAPSHOTS") == "1"
WIDTH, ROWS = 80, 24
COMMAND = "sudo netdoctor fix"
RUN = "20261129T104434Z-fa14"


def finding(probe: str, summary: str) -> Finding:
    return Finding(summary, (Evidence("source", "observed", "expected"),), probe=probe)


FORWARD = finding("ip-forward-disabled", "net.ipv4.ip_forward is 0: the node drops traffic of its pods")
REJECTS = finding("firewalld-rejects-pods", "firewalld rejects traffic from 4 pods on this node")
FLUSH = finding("direct-rules-flush-iptables", "firewalld's 2 direct rules make each reload flush iptables")
OUTSIDE_BLOCKED = finding("pod-to-outside-blocked", "4 of 5 pods cannot reach hosts outside the cluster")
RULES_MISSING = finding("kube-proxy-rules-missing", "kube-proxy's rules are missing for 2 Services")
MASQUERADE = finding("pod-masquerade-missing", "4 pods have lost their masquerade")

NAMES = ("kube-system/coredns-8547bb4c78-b8xsd", "default/echo-99cc99db6-b8c6j", "default/client", "default/postgres-0")
RULES: tuple[Rule, ...] = tuple(
    ("ipv4", "filter", "OUTPUT", 0, ("-p", protocol, "--dport", "53", "-j", "ACCEPT")) for protocol in ("udp", "tcp")
)
SYSCTL = SetSysctl("net.ipv4.ip_forward", "1", "0")
KEPT = WriteFile("/etc/sysctl.d/99-netdoctor-ip-forward.conf", "# by netdoctor\nnet.ipv4.ip_forward = 1\n", None)
TRUST = TrustSource("trusted", "10.244.0.0/16", False, False, None, None)
DIRECT = RemoveDirectRules(RULES, RULES, None, None)
RESYNC = ResyncKubeProxy("kube-system/kube-proxy-bg4qz", "iptables", (("10.96.0.10", "udp", 53),), True)
PODS = tuple(
    PodRules(name, "bridge", f"{number}" * 64, f"10.244.0.{number}", "10.244.0.0/16", None, False)
    for number, name in enumerate(NAMES, 6)
)
RESTORE = RestoreMasquerade(PODS, True)


def step(remedy: str, why: Finding, *changes: Change) -> Step:
    return Step(catalogue().remedies[remedy], why.summary, changes)


ONE = Plan((step("enable-ip-forward", FORWARD, SYSCTL, KEPT),), ())
FOUR = Plan(
    (
        step("trust-pod-network", REJECTS, TRUST),
        step("remove-direct-rules", FLUSH, DIRECT),
        step("resync-kube-proxy", RULES_MISSING, RESYNC),
        step("restore-pod-masquerade", MASQUERADE, RESTORE),
    ),
    (NotRepairable("gateway-silent", "the gateway does not answer", "there is no remedy"),),
)


def way(kind: Access, address: str, port: int, protocol: str = "tcp") -> ExposedFlow:
    source = OUTSIDE if "outside to" in kind else "default/client"
    return ExposedFlow(kind, Flow(source, address, protocol, port))


OPENED = (
    *(way(Access.POD_TO_NODE, "10.77.0.2", port) for port in (8443, 10250, 10256)),
    *(way(Access.POD_TO_POD, "10.244.0.8", port) for port in (53, 8080, 8181, 9153, 9154, 9155, 9156)),
    way(Access.POD_TO_OUTSIDE, "8.8.8.8", 53, "udp"),
)
CURED = TriedFlow("default/client -> 8.8.8.8:53/udp", "no answer", "answered", passes=True, passed=False)
GOOD = Rehearsal(
    (CURED,) * 3,
    OPENED,
    (),
    42,
    (),
    0.94,
    made=4,
    sampled=("whom the node is connected to: 2",),
    untouched=("create /etc/sysctl.d/x.conf: it is read at the next boot",),
)
BAD = Rehearsal(
    (CURED, replace(CURED, flow="default/client -> 10.96.0.10:53/udp", after="no answer in 1.0 s", passes=False),
     replace(CURED, flow="default/client -> 10.96.0.1:443/tcp", passed=True)),
    OPENED, (way(Access.POD_TO_SERVICE, "10.96.0.10", 53, "udp"),), 42, ("what firewalld does: no bus",), 1.0,
    needless=OPENED[:3], made=4,
)  # fmt: skip


def seen(*diagnoses: Diagnosis, failing: Sequence[Finding] = (), unknown: str = "") -> Look:
    """A look at a node with these causes; `unknown`: why one of its checks could not be made."""
    results = {name: Result(name, Outcome.PASS) for name in list(catalogue().probes)[:36]}
    results |= {found.probe: Result(found.probe, Outcome.FAIL, (found,)) for found in failing}
    if unknown:
        results["corefile-invalid"] = Result("corefile-invalid", Outcome.UNKNOWN, reason=unknown)
    return Look(results, diagnoses, world(), None, "", 1.0)


BROKEN = seen(Diagnosis(FORWARD, (OUTSIDE_BLOCKED,)), failing=(FORWARD, OUTSIDE_BLOCKED))
TWICE = seen(Diagnosis(FLUSH, (RULES_MISSING, MASQUERADE)), Diagnosis(REJECTS), failing=(FLUSH, REJECTS, MASQUERADE))
WELL = seen()
PROVED = tuple(
    StepOutcome(step.name, step.probe, StepEnd.PROVED, f"{step.probe} passes", step.changes) for step in FOUR.steps
)
ENDS = (
    *PROVED[:2],
    replace(PROVED[2], end=StepEnd.SKIPPED, why="kube-proxy-rules-missing no longer fails"),
    PROVED[3],
)


def shown(look: Look, plan: Plan, rehearsal: Rehearsal, *, verbose: bool = False, refused: str = "") -> list[str]:
    """All lines of a dry run."""
    found = [*plan_lines(look, plan, verbose=verbose), *lines(rehearsal, "", verbose=verbose), *tally_lines(plan)]
    return [*found, *nothing_made_lines(plan, look, refused, True, COMMAND)]


def refusal(rehearsal: Rehearsal) -> str:
    """What is said where the repair would be made."""
    with pytest.raises(Exposed) as refused:
        insist(rehearsal, allow_exposure=False)
    return str(refused.value)


def on_terminal(found: Sequence[str], width: int = WIDTH) -> str:
    return shown_on(Console(width=width, color_system=None, highlight=False), found)


CASES = {
    "fix-dry-run": shown(BROKEN, ONE, GOOD),
    "fix-dry-run-two-causes": shown(TWICE, FOUR, GOOD),
    "fix-dry-run-verbose": shown(TWICE, FOUR, GOOD, verbose=True),
    "fix-dry-run-refused": shown(BROKEN, ONE, BAD, refused=refusal(BAD)),
    "fix-healthy": [*(step_line(end, catalogue()) for end in ENDS), *end_lines(TWICE, Outcomes(ENDS, WELL), RUN, 4.14)],
    "fix-remaining": [
        step_line(
            replace(PROVED[0], end=StepEnd.ROLLED_BACK, why="firewalld-rejects-pods does not pass: 4 pods"), catalogue()
        ),
        *end_lines(TWICE, Outcomes((), TWICE), RUN, 4.14),
    ],
    "fix-could-not-tell": end_lines(
        TWICE, Outcomes(PROVED[:1], seen(unknown="API server https://192.0.2.10:8443: connection refused")), RUN, 1
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_on_80_columns(name: str) -> None:
    stored, text = SNAPSHOTS / f"{name}.txt", on_terminal(CASES[name])
    if UPDATE:
        stored.write_text(text)
    assert text == stored.read_text(), "NETDOCTOR_UPDATE_SNAPSHOTS=1 accepts the new text"


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_and_do_not_end_in_spaces(name: str, width: int) -> None:
    for line in on_terminal(CASES[name], width).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


def test_one_cause_fits_on_a_screen() -> None:
    assert len(on_terminal(CASES["fix-dry-run"]).splitlines()) < ROWS


def test_what_is_folded_is_counted_and_verbose_names_all_of_it() -> None:
    folded, whole = "\n".join(CASES["fix-dry-run-two-causes"]), "\n".join(CASES["fix-dry-run-verbose"])
    assert "+ 12 rules in table nat, in POSTROUTING and 4 chains of the CNI (-v shows them)" in folded
    assert "pod to pod 7" in folded
    for text in (
        *(line for each in FOUR.to_apply for line in each.changes[0].diff().splitlines()),
        "10.244.0.8:9156/tcp",
    ):
        assert text in whole


def test_what_the_repair_is_not_for_is_always_named() -> None:
    text = "\n".join(CASES["fix-dry-run-refused"])
    assert "pod to node: 10.77.0.2:8443/tcp, 10.77.0.2:10250/tcp, 10.77.0.2:10256/tcp (not what the repair" in text
    assert "pod to Service: 10.96.0.10:53/udp" in text
    assert f"REFUSED  {BAD.refusal}" in text


def test_many_direct_rules_are_counted_by_their_chain() -> None:
    many: tuple[Rule, ...] = tuple(("ipv4", "filter", "INPUT", n, ("-j", "ACCEPT")) for n in range(12))
    text = RemoveDirectRules(many, (), None, None).in_short()
    assert text == [
        "~ firewalld: remove 12 direct rules, now (no reload)",
        "- 12 rules of ipv4 filter INPUT (-v shows them)",
    ]


def test_a_long_file_is_told_by_the_number_of_its_lines() -> None:
    text = WriteFile("/etc/sysctl.d/x.conf", "a = 1\n" * 20, None).in_short()
    assert text == ["+ create /etc/sysctl.d/x.conf", "  + 20 lines (-v shows them)"]


def test_the_tally_counts_each_thing_once() -> None:
    twice = Plan((step("trust-pod-network", REJECTS, TRUST, replace(TRUST, source="10.245.0.0/16")),), ())
    assert tally_lines(twice)[1] == "Plan: 1 repair, 1 zone of firewalld, 1 file of firewalld."
    assert tally_lines(Plan((), ())) == []


def test_a_module_stays_loaded_and_that_is_said() -> None:
    plan = Plan((step("enable-bridge-netfilter", FORWARD, LoadModule("br_netfilter")),), ())
    assert tally_lines(plan)[1] == "Plan: 1 repair, 1 kernel module."
    assert tally_lines(plan)[2].startswith("undo restores all of it, except: br_netfilter stays loaded")


def test_what_the_next_boot_brings_back_is_said_with_its_reason() -> None:
    why = "/etc/sysctl.d/zz.conf sorts after it and sets 0; change that by hand"
    file = WriteFile("/etc/sysctl.d/99-netdoctor-x.conf", "a = 1\n", None, note=f"no effect at boot: {why}")
    assert tally_lines(Plan((step("enable-ip-forward", FORWARD, file),), ()))[-1] == f"a reboot brings it back: {why}"
    plain = Plan((step("enable-ip-forward", FORWARD, replace(file, note="because a file sets 0")),), ())
    assert tally_lines(plain)[-1] == "what is repaired stays repaired after a reboot."


def test_without_node_and_cluster_it_is_said_once() -> None:
    node = "no API server to ask (kubeconfig: none that can be read: /a, /b), and no kubelet has ever run here"
    results = {name: Result(name, Outcome.UNKNOWN, reason=f"this node: {node}") for name in catalogue().probes}
    look = Look(results, (), world(unread={ThisNode: CannotRead("this node", node)}), None, "", 1.0)
    found = [*plan_lines(look, Plan((), ())), *nothing_made_lines(Plan((), ()), look, "", False, COMMAND)]
    assert found[:3] == [
        "CANNOT CHECK  this is not a Kubernetes node, or not one that netdoctor can read",
        "  kubeconfig  none that can be read: /a, /b",
        "  kubelet     none has run here",
    ]
    assert found[-1] == "elsewhere: run it on the node, or name a cluster: --kubeconfig FILE"


def test_what_could_not_be_asked_is_two_lines() -> None:
    look = seen(unknown="API server: connection refused")
    assert nothing_made_lines(Plan((), ()), look, "", False, COMMAND) == [
        "COULD NOT TELL  nothing to repair was found, but 1 check could not be made",
        "  ? API server: connection refused",
    ]


def test_a_dry_run_names_the_repair_that_was_chosen() -> None:
    assert nothing_made_lines(ONE, BROKEN, "", True, f"{COMMAND} --only x")[-1] == (
        "Nothing was changed. To make these changes: sudo netdoctor fix --only x"
    )


def test_a_proof_says_what_is_true_now_and_json_keeps_the_name_of_the_probe() -> None:
    lines_of_steps = [step_line(end, catalogue()) for end in PROVED]
    assert lines_of_steps[0] == "  ✓ trust-pod-network       made, proved: firewalld accepts pods"
    assert not [line for line in lines_of_steps if line.endswith(" passes")]
    document = json.loads(as_json(FOUR, Outcomes(PROVED, WELL), WELL, RUN, False, None, ""))
    assert document["steps"][0]["why"] == "firewalld-rejects-pods passes"


def test_a_probe_that_nobody_knows_any_more_keeps_its_own_words() -> None:
    gone = replace(PROVED[0], probe="gone", why="gone passes")
    assert step_line(gone, catalogue()).endswith("made, proved: gone passes")


def test_what_could_not_be_asked_stands_beside_the_plan() -> None:
    look = seen(Diagnosis(FORWARD), failing=(FORWARD,), unknown="firewalld getZones: no answer")
    assert plan_lines(look, ONE)[-2:] == [
        "",
        "! 1 check could not be made, so a cause may be missing here: firewalld getZones: no answer",
    ]
    assert not any("could not be made" in line for line in plan_lines(BROKEN, ONE))
