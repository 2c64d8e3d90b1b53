"""Every fault of tests/faults on a real node: named, repaired, proved, and taken back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from netdoctor.diagnosis.catalogue import Catalogue
from tests.accuracy_record import note, note_check
from tests.busy import busy_loops
from tests.conftest import Lab
from tests.diagnosis.test_gate import STATES
from tests.fault_node import FaultNode
from tests.node_state import SCRIPT, State, difference, sections, without_owners
from tests.reports import causes, explained, outcomes
from tests.rotation import gated_in_this_run, repaired_in_this_run
from tests.schemas import valid

FAULTS = {path.stem: path for path in sorted((Path(__file__).parent / "faults").glob("*.yaml"))}
TELLING = ("causes", "warnings", "symptoms")  # the keys that name probes
LAB_PASSWORD = "lab-canary-5f1d"


def load(name: str) -> dict[str, Any]:
    fault: dict[str, Any] = yaml.safe_load(FAULTS[name].read_text())
    return fault


def firewalld_of(name: str) -> str:
    """The version that runs since boot; "" where none does."""
    return str(load(name).get("firewalld", ""))


# faults that want the same node one after the other, so that it can go on
ORDERED = sorted(FAULTS, key=lambda name: (firewalld_of(name), name))
BUSY = int(os.environ.get("NETDOCTOR_TEST_BUSY", "0"))  # busy loops for each processor; then nothing is repaired
REMEDIES = {name: tuple(load(name)["remedies"]) for name in FAULTS if "remedies" in load(name)}
REPAIRED = frozenset() if BUSY else repaired_in_this_run(REMEDIES)
GATED = frozenset() if BUSY else gated_in_this_run(name for name in FAULTS if "gate" in load(name))


def check(lab: Lab) -> tuple[int, dict[str, Any]]:
    """The exit status and the report of `netdoctor check`."""
    done = lab.exec(["netdoctor", "check", "--output", "json"])
    assert done.stdout, done.stderr
    assert LAB_PASSWORD not in done.stdout + done.stderr
    return done.returncode, valid("report", done.stdout)


def expected_causes(fault: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """The causes that the report has to name; what mends itself may be gone before the look."""
    gone = set(fault.get("fleeting", ())) - set(causes(report))
    return sorted(set(fault["causes"]) - gone)


def expected_status(fault: dict[str, Any]) -> int:
    """Of `check`: faults found, something that cannot be told yet, or healthy."""
    if fault["causes"]:
        return 1
    return 3 if "starting" in fault else 0


def symptoms_of(fault: dict[str, Any], report: dict[str, Any]) -> set[str]:
    """The symptoms that the report has to have. A CoreDNS that the kubelet found unready meanwhile is asked nothing."""
    symptoms = set(fault.get("symptoms", ()))
    if "coredns-not-ready" in explained(report):
        symptoms.discard("cluster-ip-unreachable")
    return symptoms


def story(report: dict[str, Any]) -> str:
    """What a failed assertion should show."""
    lines = [f"{c['id']}: {c['says']} <- {sorted(c.get('explains', ()))}" for c in report["causes"]]
    lines += [f"{name} {outcome} {why}" for name, (outcome, why) in outcomes(report).items() if outcome != "pass"]
    return "\n".join([*lines, *report.get("notices", ()), f"{report['seconds']} s"])


def break_it(lab: Lab, fault: dict[str, Any]) -> None:
    for line in fault.get("break", ()):
        lab.must(line)
    for line in fault.get("outside_break", ()):
        assert lab.outside(line).returncode == 0, line
    time.sleep(fault.get("settle", 0.5))


def heal_outside(lab: Lab, fault: dict[str, Any]) -> None:
    for line in fault.get("outside_heal", ()):
        lab.outside(line)


def test_each_probe_has_a_fault() -> None:
    """In a file of tests/faults, which says in its skip reason what the lab cannot make; the modules' with the gate."""
    told = {name for fault in map(load, FAULTS) for key in TELLING for name in fault.get(key, ())}
    with_modules = {name for state in STATES for name in state.causes}
    assert set(Catalogue.load().probes) - told - with_modules == set()


@pytest.fixture(scope="module")
def node(lab: Lab) -> Iterator[FaultNode]:
    with busy_loops(BUSY * (os.cpu_count() or 1)):
        yield FaultNode(lab)


@pytest.mark.lab
@pytest.mark.timeout(1200)  # also on a slow machine, and twice where the node went on
@pytest.mark.parametrize("name", ORDERED)
def test_fault(name: str, node: FaultNode, record_property: Callable[[str, object], None]) -> None:
    fault = load(name)
    if "skip" in fault:
        pytest.skip(fault["skip"])
    repaired = name in REPAIRED
    fresh = node.make_healthy(fault.get("firewalld", ""))
    try:
        healed = whole_way(node.lab, name, repaired=repaired, gated=name in GATED)
    except AssertionError as error:
        if fresh:
            raise
        record_property("tried again on a fresh node", f"{name}: {error}")
        node.reset(fault.get("firewalld", ""))
        healed = whole_way(node.lab, name, repaired=repaired, gated=name in GATED)
    record_property("node", "fresh" if fresh else "went on")
    if "remedies" in fault and not repaired:
        record_property("repair left to another run", name)
    if "gate" in fault and name not in GATED:
        record_property("gate left to another run", name)
    if left := node.left(healed=healed):
        record_property("left behind", f"{name}: {left.splitlines()[0]}")


def whole_way(lab: Lab, name: str, *, repaired: bool, gated: bool) -> bool:
    """Take a healthy node through the fault: named, repaired, and taken back. Whether somebody has healed it."""
    fault = load(name)
    if "prepare" in fault:
        for line in fault["prepare"]:
            lab.must(line)
        status, report = check(lab)
        assert (status, causes(report)) == (0, []), f"not healthy before: {story(report)}"

    break_it(lab, fault)
    status, report = check(lab)
    note_check(name, fault["causes"], report)
    assert causes(report) == expected_causes(fault, report), story(report)
    assert causes(report, "warning") == sorted(fault.get("warnings", [])), story(report)
    assert status == expected_status(fault), story(report)
    assert {outcomes(report)[name][0] for name in fault.get("starting", ())} <= {"unknown"}, story(report)
    assert symptoms_of(fault, report) <= explained(report), story(report)
    if says := fault.get("says"):
        assert any(says in cause["says"] for cause in report["causes"]), story(report)
    for cause in report["causes"]:
        assert cause["evidence"], cause
    if gated:
        assert gate(lab) == fault["gate"]

    if "remedies" in fault and repaired:
        repair_and_take_back(lab, name, fault)
    if not {"heal", "outside_heal"} & fault.keys():
        return False
    for line in fault.get("heal", ()):
        lab.must(line)
    heal_outside(lab, fault)
    return True


def gate(lab: Lab) -> str:
    done = lab.exec(["netdoctor", "gate", "--output", "json"])
    verdict: str = valid("gate", done.stdout)["verdict"]
    assert done.returncode == {"open": 0, "closed": 1, "not verified": 3}[verdict]
    return verdict


def left_by_undo(lab: Lab, before: State, seconds: float) -> str:
    """How the node differs from before the repair, once it had these seconds: pods take some to end."""
    end = time.monotonic() + seconds
    while True:
        time.sleep(1)
        after = without_owners(sections(lab.must(SCRIPT)))
        left = difference(before, after, ("objects", "state"))  # a new pod of kube-proxy, and the run's record
        if not left or time.monotonic() > end:
            return left


def repair_and_take_back(lab: Lab, name: str, fault: dict[str, Any]) -> None:
    before = without_owners(sections(lab.must(SCRIPT)))
    dry = lab.exec(["netdoctor", "fix", "--dry-run"])
    assert dry.returncode in (0, 1), dry.stdout + dry.stderr
    moved_by_itself = ("objects",) if not fault.get("firewalld") else ()
    assert difference(before, without_owners(sections(lab.must(SCRIPT))), moved_by_itself) == ""
    for remedy in fault["remedies"]:
        assert remedy in dry.stdout, dry.stdout

    note(name, repaired=False, undone=False)
    begin = time.monotonic()
    done = lab.exec(["netdoctor", "fix", "--yes"])
    seconds = round(time.monotonic() - begin, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert LAB_PASSWORD not in done.stdout + done.stderr
    status, report = check(lab)
    assert (status, causes(report)) == (0, []), f"{done.stdout}\n{story(report)}"
    assert gate(lab) == "open"
    note(name, repaired=True, fix_seconds=seconds)

    undone = lab.exec(["netdoctor", "undo"])
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert left_by_undo(lab, before, fault.get("undo_settle", 1)) == ""
    _, report = check(lab)
    assert causes(report) == sorted(fault.get("after_undo", fault["causes"])), story(report)
    note(name, undone=True)
    lab.must("rm -r /var/lib/netdoctor")  # the runs' record, which a node that goes on does not have
