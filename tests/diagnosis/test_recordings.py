"""Recordings of broken nodes, made by scripts/record: judged on any machine, they name the fault's own causes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.model import Outcome, Report, Severity
from netdoctor.recording.file import from_json, recordable
from tests.conftest import ROOT
from tests.scripts import script

face, readme = script("face"), script("readme")
RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.json"))
FAULTS = Path(__file__).parents[1] / "faults"


@pytest.mark.thorough
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recording_names_the_causes_of_its_fault_on_one_screen(path: Path) -> None:
    fault = yaml.safe_load((FAULTS / f"{path.stem}.yaml").read_text())
    catalogue = Catalogue.load()
    seen = look(catalogue, from_json(path.read_text(), catalogue))
    errors = [d.cause.probe for d in seen.diagnoses if d.cause.severity is Severity.ERROR]
    assert sorted(errors) == sorted(fault["causes"])
    for width in (80, 120):
        screen = face.screen_of(seen.report(), width)
        assert screen.causes == len(errors)
        assert screen.below.keys() == ({"cause", "proof", "next"} if errors else set())
        assert screen.fits, screen
    if path.stem == readme.SHOWN:
        assert readme.cause_block(seen.report()) in readme.README.read_text(), "scripts/readme check writes it"


@pytest.mark.thorough
def test_the_first_page_shows_what_trace_draws(tmp_path: Path) -> None:
    drawn = tmp_path / "trace.svg"
    subprocess.run([ROOT / "scripts/picture", drawn], check=True, capture_output=True, timeout=60)
    assert drawn.read_bytes() == (ROOT / "docs/img/trace.svg").read_bytes(), "scripts/picture draws it"


@pytest.mark.thorough
def test_what_an_experiment_tried_on_a_recording_says_what_to_type() -> None:
    catalogue = Catalogue.load()
    seen = look(catalogue, from_json((RECORDINGS[0].parent / "nft-table-drops-postgres.json").read_text(), catalogue))
    assert seen.experiments is not None
    command = "sudo nft delete rule inet corp guard handle 2"
    assert {each.by_hand for trial in seen.experiments.trials for cure in trial.cures for each in cure} == {(command,)}
    assert seen.diagnoses[0].cause.by_hand[0] == command


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recording_holds_no_secret(path: Path) -> None:
    text = path.read_text()
    assert "lab-canary" not in text
    assert "PRIVATE KEY" not in text
    assert "client-key-data" not in text


@pytest.fixture
def healthy() -> dict[str, Any]:
    recording: dict[str, Any] = json.loads((RECORDINGS[0].parent / "healthy.json").read_text())
    return recording


def judged(recording: dict[str, Any]) -> Report:
    catalogue = Catalogue.load()
    return look(catalogue, from_json(json.dumps(recording), catalogue)).report()


def test_why_there_is_no_test_pod_is_said_once() -> None:
    catalogue = Catalogue.load()
    seen = look(catalogue, from_json((RECORDINGS[0].parent / "ip-forward-zero.json").read_text(), catalogue), only=())
    seen.facts.get(VantagePoints)
    because = "ip_forward is 0, and the CNI sets it to 1 with each pod"
    assert f"no test pod was made: it would change the node: {because}" in seen.report().notices


def test_a_healthy_recording_that_is_older_than_a_check_is_healthy(healthy: dict[str, Any]) -> None:
    later = {kind.__name__ for kind in recordable(Catalogue.load()) if getattr(kind, "added_later", False)}
    for name in later & healthy["facts"].keys():
        del healthy["facts"][name]
    report = judged(healthy)
    assert report.exit_code == 0
    left_out = [result for result in report.results if "not in this recording" in result.reason]
    assert "endpoint-port-closed" in {result.probe for result in left_out}
    assert {result.outcome for result in left_out} == {Outcome.NOT_APPLICABLE}
    (notice,) = report.notices
    assert notice.startswith(f"{len(left_out)} checks were not recorded: this recording is older (")


@pytest.mark.parametrize("fact", ["Iptables", "Reach", "NewPod"])
def test_one_that_lacks_what_every_recording_has_is_not(healthy: dict[str, Any], fact: str) -> None:
    del healthy["facts"][fact]
    assert judged(healthy).exit_code == 3


def test_a_fact_that_could_not_be_read_is_unknown_also_where_it_came_later(healthy: dict[str, Any]) -> None:
    healthy["facts"]["ClosedEndpoints"] = {"cannot_read": {"source": "/proc", "reason": "permission denied"}}
    assert judged(healthy).exit_code == 3


@pytest.mark.thorough
def test_replay_needs_no_root_and_no_cluster() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netdoctor", "check", "--facts", str(RECORDINGS[0]), "-o", "json"],
        check=False, capture_output=True, text=True, timeout=30, env={"PATH": "", "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("{")
