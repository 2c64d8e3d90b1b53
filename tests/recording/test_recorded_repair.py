"""`fix --dry-run --facts`: the repair of a recorded node, from what was recorded alone, and rehearsed on its copy."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from netdoctor.changes.file import WriteFile
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.system.host import Host
from tests.cli.test_cli import netdoctor, one_sentence
from tests.conftest import ROOT
from tests.recording.test_confinement import WITHOUT_NAMESPACES

pytestmark = pytest.mark.thorough

RECORDINGS = ROOT / "tests/recordings"
copies = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="copies of a node need root or user namespaces, and nft"
)
NOBODY_KNOWN = "whether it cuts off somebody: a recording does not say who was connected"
# of each recording: the steps, and words of the plan
PLANS = {
    "note-a-firewalld-reload": (["trust-pod-network"], "+ /etc/firewalld/zones/trusted.xml"),
    "ip-forward-zero": (["enable-ip-forward"], "- net.ipv4.ip_forward = 0"),
    "note-b-direct-rules-reload": (["trust-pod-network"], "the rehearsal is therefore partial"),
    "note-d-reload-and-bridge": (
        ["trust-pod-network", "enable-bridge-netfilter"], "- net.bridge.bridge-nf-call-iptables = 0",
    ),
}  # fmt: skip


@copies
@pytest.mark.parametrize("name", list(PLANS))
def test_the_plan_is_rehearsed_on_a_copy_of_the_recorded_node(name: str) -> None:
    steps, words = PLANS[name]
    done = netdoctor("fix", "--dry-run", "--facts", RECORDINGS / f"{name}.json")
    assert (done.returncode, done.stderr) == (1, "")
    for number, step in enumerate(steps, 1):
        assert f"  {number} {step} " in done.stdout
    assert words in done.stdout
    assert "rehearsed on a copy of this node" in done.stdout
    assert NOBODY_KNOWN in done.stdout
    assert done.stdout.endswith("Nothing was changed. To make these changes: sudo netdoctor fix, on the node\n")


@copies
def test_as_json_and_trusted_it_is_the_same_plan() -> None:
    recording = RECORDINGS / "note-a-firewalld-reload.json"
    found = [
        json.loads(netdoctor("fix", "--dry-run", "--facts", recording, "-o", "json", *more).stdout)
        for more in ((), ("--trust-recording",))
    ]
    for each in found:
        assert each["dry_run"]
        assert [step["remedy"] for step in each["plan"]] == ["trust-pod-network"]
        assert each["rehearsal"]["verdict"] == "safe"
        assert NOBODY_KNOWN in each["rehearsal"]["not_shown"]
    assert found[0]["plan"] == found[1]["plan"]


@copies
def test_what_a_recording_does_not_tell_enough_for_stands_in_one_line() -> None:
    recording = RECORDINGS / "note-b-direct-rules-reload.json"
    done = netdoctor("fix", "--dry-run", "--facts", recording)
    names = "remove-direct-rules, resync-kube-proxy, restore-pod-masquerade"
    line = (
        f"! 3 repairs are planned on the node only, not from a recording: {names}; the rehearsal is therefore partial"
    )
    assert line in done.stdout.splitlines()
    assert "bus" not in done.stdout
    assert "not repaired" not in done.stdout
    more = netdoctor("fix", "--dry-run", "-v", "--facts", recording).stdout
    assert "remove-direct-rules is planned on the node itself" in more
    assert line in more


def test_a_healthy_recording_has_nothing_to_repair() -> None:
    done = netdoctor("fix", "--dry-run", "--facts", RECORDINGS / "healthy.json")
    assert done.returncode == 0
    assert done.stdout.startswith("HEALTHY  nothing to repair")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_without_a_copy_the_plan_is_not_rehearsed_and_would_be_refused() -> None:
    recording = RECORDINGS / "note-a-firewalld-reload.json"
    done = netdoctor("fix", "--dry-run", "--facts", recording, before=(sys.executable, "-c", WITHOUT_NAMESPACES))
    assert done.returncode == 1
    assert "not rehearsed on a copy of this node: this machine does not let" in done.stdout
    assert "It would be refused: it is not rehearsed" in done.stdout


@pytest.mark.parametrize("more", [(), ("--dry-run", "--yes"), ("--dry-run", "--resume"), ("--confirm", "60")])
def test_a_recording_cannot_be_repaired(more: tuple[str, ...]) -> None:
    done = netdoctor("fix", *more, "--facts", RECORDINGS / "healthy.json")
    assert done.returncode == 2
    assert re.search("a recording cannot be repaired|a dry run (changes|goes on with) nothing", one_sentence(done))


def test_a_name_that_nothing_has_is_refused() -> None:
    done = netdoctor("fix", "--dry-run", "--only", "no-such", "--facts", RECORDINGS / "healthy.json")
    assert done.returncode == 2
    assert "--only no-such: there is no repair or fault of this name" in one_sentence(done)


def test_nothing_of_this_machine_is_in_a_plan_for_another(tmp_path: Path) -> None:
    here = tmp_path / "99-netdoctor.conf"
    here.write_text("of this machine\n")
    assert WriteFile.planned(str(here), "new\n", live=False).was is None
    assert WriteFile.planned(str(here), "new\n").was is not None
    change = SetSysctl.planned(Host(live=False), "net.ipv4.ip_forward", "1", "recorded")
    assert (change.was, change.followers, change.at_boot) == ("recorded", (), None)
