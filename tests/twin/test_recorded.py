"""Recordings of broken nodes, on a machine without any cluster: the same causes and the same smallest changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from netdoctor.experiments.work_limit import WorkLimit
from tests.busy import busy_loops
from tests.twin.network import real

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "tests/recordings"
CURES = {
    "note-a-firewalld-reload": {("firewalld: 10.244.0.0/16 in zone trusted, now and at boot (no reload)",)},
    "ip-forward-zero": {
        ("set net.ipv4.ip_forward to 1, now",),
    },
}  # fmt: skip
UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def report(recording: str, *argv: str, **environment: str) -> dict[str, Any]:
    """What `check --facts` says, as JSON."""
    done = subprocess.run(
        [*(argv or (sys.executable,)), "-m", "netdoctor", "check", "--facts", str(RECORDINGS / f"{recording}.json"),
         "-o", "json"],
        check=False, capture_output=True, text=True, timeout=60, cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cures(report: dict[str, Any]) -> set[tuple[str, ...]]:
    """The smallest sets of changes."""
    return {tuple(cure["changes"]) for each in report["experiments"] for cure in each.get("cures", ())}


@real
@pytest.mark.parametrize("name", list(CURES))
def test_the_same_cure_as_on_the_node(name: str) -> None:
    found = report(name)
    assert found["experiments"], found["notices"]
    # a node rations ICMP errors, so that one flow may have been silent there and is rejected in the copy
    assert ["copy" in each for each in found["experiments"]].count(True) <= 1
    assert cures(found) == CURES[name]


def test_waiting_for_a_processor_is_not_work() -> None:
    limit, worked = WorkLimit(processor_seconds=0.2), time.process_time()
    time.sleep(0.25)
    assert limit.reached_by(0) == ""
    while time.process_time() - worked < 0.25:
        pass
    assert limit.reached_by(0) == "0.2 s of processor time"


@real
def test_a_busy_machine_says_the_same_of_a_recording() -> None:
    quiet = report("note-a-firewalld-reload")
    with busy_loops(4 * (os.cpu_count() or 1)):
        busy = report("note-a-firewalld-reload")
    for part in ("causes", "experiments", "notices"):
        assert busy.get(part) == quiet.get(part), part


@real
def test_nobody_in_particular_gets_the_same_in_a_user_namespace() -> None:
    python = shutil.which("python3", path="/usr/bin:/bin")
    if not python or not shutil.which("setpriv"):
        pytest.skip("there is no python3 and setpriv that everybody may use")
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info[:2] == tuple(map(int, sys.argv[1:])))",
                              *map(str, sys.version_info[:2])], check=True, capture_output=True, text=True)  # fmt: skip
    if version.stdout.strip() != "True":
        pytest.skip("the system's Python is another version than the one that has the dependencies")
    if subprocess.run([*UNPRIVILEGED, "unshare", "-Urn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel lets nobody make a user namespace")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    if subprocess.run([*UNPRIVILEGED, "test", "-r", packages], check=False).returncode:
        pytest.skip("the dependencies are where only root may read")
    found = report("note-a-firewalld-reload", *UNPRIVILEGED, python, PYTHONPATH=f"{ROOT}:{packages}")
    assert cures(found) == CURES["note-a-firewalld-reload"]


def test_where_no_copy_can_be_made_the_report_says_so() -> None:
    found = report("note-a-firewalld-reload", PATH="/nonexistent")
    assert "experiments" not in found
    assert any(notice.startswith("not verified on a copy of the node: ") for notice in found["notices"])
    assert found["causes"][0]["probe"] == "firewalld-rejects-pods"
