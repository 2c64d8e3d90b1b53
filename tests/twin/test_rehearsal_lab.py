"""Bad repairs on a real node, refused before they are made; the good one; and what a second firewalld leaves behind.

The node's firewalld has been reloaded and forgot its pods, and somebody has put direct rules into its permanent
configuration: the next reload flushes iptables.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Lab
from tests.node_state import SCRIPT, difference, sections

pytestmark = pytest.mark.lab
# all of the node: the CNI's plugin firewall gives that to each pod
FROM_PODS = {"pod to node", "pod to another port of the node", "pod to pod", "pod to outside", "pod to Service"}
LONGEST = 30.0  # seconds for one rehearsal, with two busy processors
# run on the node: what `netdoctor fix` does before it changes anything, for repairs that people have tried
PROGRAM = """
import json, re
from dataclasses import dataclass
from typing import ClassVar
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.errors import Exposed, NotRehearsable
from netdoctor.facts import Facts
from netdoctor.facts.gateways.scope import Scope
from netdoctor.model import FROM_PODS
from netdoctor.repair.plan import plan
from netdoctor.output.rehearsal_text import lines
from netdoctor.rehearsal.rehearsal import insist, rehearse

@dataclass(frozen=True)
class Called:
    kind: ClassVar[str] = "called"
    words: str
    call: tuple
    def describe(self):
        return self.words
    def rehearse(self, host):
        raise NotRehearsable("only firewalld can do it")
    def apply_over(self, bus):
        bus.call(*self.call)

@dataclass(frozen=True)
class RejectRulesDeleted:
    kind: ClassVar[str] = "deleted"
    def describe(self):
        return "the reject rules deleted"
    def rehearse(self, host):
        for chain in ("filter_INPUT", "filter_INPUT_POLICIES", "filter_FORWARD", "filter_FORWARD_POLICIES"):
            text = host.run(["nft", "-a", "list", "chain", "inet", "firewalld", chain])
            for handle in re.findall(r"reject with icmpx .*# handle (\\d+)", text):
                host.run(["nft", "delete", "rule", "inet", "firewalld", chain, "handle", handle])

catalogue = Catalogue.load()
seen = look(catalogue, Facts(context=(Scope(False, whole_state=True),)))
steps = plan(catalogue, seen).to_apply
good = [change for step in steps for change in step.changes]
uplink = ("zone", "changeZoneOfInterface", "ss", "trusted", "eth0")
cases = {
    "reload": ([Called("firewall-cmd --reload", ("", "reload"))], True),
    "uplink trusted": ([Called("eth0 in zone trusted", uplink)], True),
    "reject rules deleted": ([RejectRulesDeleted()], False),
    "good": (good, False),
    "good, by firewalld": (good, True),
}
told = {"steps": [step.name for step in steps]}
for name, (changes, with_daemon) in cases.items():
    found = rehearse(seen.facts, changes, FROM_PODS, with_daemon=with_daemon)
    refused = []
    for allowed in (False, True):
        try:
            insist(found, allowed)
            refused.append("")
        except Exposed as error:
            refused.append(str(error))
    told[name] = {
        "text": "\\n".join(lines(found, "")), "not_shown": found.not_shown, "seconds": found.seconds,
        "opened": sorted(f"{way.kind}: {way}" for way in found.opened), "refused": refused,
        "closed": sorted(f"{way.kind}: {way}" for way in found.closed), "pass": [t.passes for t in found.flows],
        "passed": [t.passed for t in found.flows],
    }
print(json.dumps(told))
"""

# netdoctor, killed as soon as a second firewalld runs; then what is left of that after five seconds
KILLED = """
import os, signal, subprocess, time
from pathlib import Path
def left():
    found = [str(path) for path in Path("/tmp").glob("netdoctor-firewalld-*")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text()
        except OSError:
            continue
        if "/tmp/netdoctor-firewalld-" in words:
            found.append(words.replace("\\0", " "))
    return found
argv = ["/opt/netdoctor/bin/netdoctor", "fix", "--dry-run", "--rehearse-daemon"]
netdoctor = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
while len(left()) < 4 and netdoctor.poll() is None:
    time.sleep(0.01)
assert netdoctor.poll() is None, "it has not started one"
os.kill(netdoctor.pid, signal.SIGKILL)
end = time.monotonic() + 5
while left() and time.monotonic() < end:
    time.sleep(0.05)
print("\\n".join(left()))
"""


@dataclass(frozen=True)
class Told:
    """What the rehearsals said, and how the node was before and after them all."""

    cases: dict[str, Any]
    before: dict[str, list[str]]
    after: dict[str, list[str]]

    def classes(self, case: str, which: str) -> set[str]:
        return {line.partition(":")[0] for line in self.cases[case][which]}


@pytest.fixture(scope="module")
def told(lab: Lab) -> Told:
    lab.reset(firewalld="2.3")
    lab.must("firewall-cmd -q --reload")
    for protocol in ("udp", "tcp"):
        rule = f"ipv4 filter OUTPUT 0 -p {protocol} --dport 53 -j ACCEPT"
        lab.must(f"firewall-cmd -q --permanent --direct --add-rule {rule}")
    lab.exec("netdoctor check")  # firewalld keeps chains of a zone in which a test pod has been
    time.sleep(3)
    before = sections(lab.must(SCRIPT))
    printed = lab.python(PROGRAM)
    end = time.monotonic() + 60
    while difference(before, after := sections(lab.must(SCRIPT))) and time.monotonic() < end:
        time.sleep(1)  # the test pod of the look goes in its own time
    found = Told(json.loads(printed), before, after)
    for name, case in found.cases.items():
        if name != "steps":
            print(f"{name}: {case['seconds']} s\n{case['text']}\n")
    return found


def test_a_reload_with_direct_rules_is_refused(told: Told) -> None:
    case = told.cases["reload"]
    assert case["not_shown"] == []
    assert told.classes("reload", "closed") == {"pod to Service", "outside to NodePort"}
    assert case["opened"] == []
    assert all("it would cut off" in sentence and "10.77.0.2:30080/tcp" in sentence for sentence in case["refused"])
    assert "  ✗ 7 of " in case["text"]
    assert "    pod to Service: " in case["text"]
    assert "  REFUSED  it would cut off " in case["text"]


def test_the_uplink_in_zone_trusted_is_refused(told: Told) -> None:
    case = told.cases["uplink trusted"]
    assert case["not_shown"] == []
    assert told.classes("uplink trusted", "opened") == {"outside to node", "outside to pod"}
    assert "outside to node: outside -> 10.77.0.2:10250/tcp" in case["opened"]
    assert case["closed"] == []
    assert "it would open outside to node" in case["refused"][0]
    # a question that failed for want of time passes in the copy: then nobody can tell what it cures
    if any(case["passed"]):
        assert case["refused"][1] == ""
    else:
        assert "none of the " in case["refused"][1], "it cures nothing, so the user cannot want it"
    assert "10.77.0.2:8443/tcp" in case["text"]
    assert "(not what the repair is for)" in case["text"]
    assert not all(case["pass"]), "and it cures nothing"


def test_deleting_the_reject_rules_is_refused(told: Told) -> None:
    case = told.cases["reject rules deleted"]
    assert case["not_shown"] == []
    assert {"outside to node", "outside to pod"} <= told.classes("reject rules deleted", "opened")
    assert "it would open outside to " in case["refused"][0]
    assert "  REFUSED  it would open outside to " in case["text"]
    assert all(case["pass"]), "though it cures"


@pytest.mark.parametrize("name", ["good", "good, by firewalld"])
def test_trusting_the_pod_network_passes(name: str, told: Told) -> None:
    assert told.cases["steps"] == ["trust-pod-network"]
    case = told.cases[name]
    assert case["not_shown"] == []
    assert case["refused"] == ["", ""]
    assert case["closed"] == []
    assert case["opened"]
    assert told.classes(name, "opened") <= FROM_PODS
    assert case["pass"]
    assert all(case["pass"])
    assert "REFUSED" not in case["text"]


def test_rules_and_a_second_firewalld_say_the_same(told: Told) -> None:
    """Apart from the test pod of the look: it has gone since, and firewalld is copied as it is now."""
    with_rules, by_firewalld = (told.cases[name]["opened"] for name in ("good", "good, by firewalld"))
    assert {*with_rules} <= {*by_firewalld}


def test_it_is_quick(told: Told) -> None:
    assert max(case["seconds"] for name, case in told.cases.items() if name != "steps") < LONGEST


def test_the_node_is_as_before(told: Told) -> None:
    assert difference(told.before, told.after) == ""


def test_kill_9_leaves_nothing(told: Told, lab: Lab) -> None:
    assert lab.python(KILLED).strip() == ""


def test_the_command(told: Told, lab: Lab) -> None:
    done = lab.exec(["netdoctor", "fix", "--dry-run", "--rehearse-daemon"])
    assert "REFUSED" not in done.stdout, done.stdout + done.stderr
    assert "the copy does not show" not in done.stdout, done.stdout
    assert "✓ opens only what it is for" in done.stdout
    assert "Nothing was changed" in done.stdout
    assert lab.exec("ls -d /tmp/netdoctor-firewalld-*").stdout == ""
    assert lab.must("systemctl is-active firewalld").strip() == "active"


def test_the_reload_does_what_the_rehearsal_said(told: Told, lab: Lab) -> None:
    kube = "iptables-save | grep -c KUBE || true"
    assert int(lab.must(kube)) > 0
    lab.must("pkill -STOP -x kube-proxy")  # every 30 s it looks whether its rules are there
    try:
        assert lab.must(f"firewall-cmd -q --reload; {kube}").strip() == "0"
    finally:
        lab.must("pkill -CONT -x kube-proxy")
