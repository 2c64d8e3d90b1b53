"""A hundred copies of a real, broken node, with searches on some of them: the node is afterwards as it was."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.conftest import LAB, Lab
from tests.node_state import SCRIPT, difference, sections

COPIES = 100
PROGRAM = f"""
import json, time
from netdoctor.facts import Facts
from functools import partial
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.experiment import experiment
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.errors import CannotRead
from netdoctor.twin.build import build
from netdoctor.twin.capture import capture
facts = Facts({{NewPod: CannotRead("test pod", "not wanted")}})
state = facts.get(NodeNetwork).state
points = {{f"{{f.pod}}": (f.netns, f.source) for f in facts.get(FailedFlows).items if f.netns}}
begin = time.monotonic()
for _ in range({COPIES}):
    build(capture(points)).close()
seconds = (time.monotonic() - begin) / {COPIES}
stage = partial(experiment, Catalogue.load(), facts)
found = [stage(*facts.arguments(stage)) for _ in range(4)]
print(json.dumps({{"each": seconds, "cures": [[len(t.cures) for t in one.trials if t.alike] for one in found]}}))
"""


@pytest.mark.lab
def test_a_hundred_copies_leave_the_node_as_it_was(lab: Lab) -> None:
    lab.reset("2.3")
    lab.must("firewall-cmd -q --reload; sleep 2")
    before = sections(lab.must(SCRIPT))
    done = subprocess.run(
        [str(LAB), "exec", "--name", lab.name, "--", "/opt/netdoctor/bin/python", "-"],
        check=False, capture_output=True, text=True, timeout=240, input=PROGRAM,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert all(cures and all(cures) for cures in said["cures"])
    assert difference(before, sections(lab.must(SCRIPT))) == ""
