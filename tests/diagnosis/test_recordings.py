"""Recordings of broken nodes, made by scripts/record: judged on any machine, they name the fault's own causes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.model import Severity
from netdoctor.recording.file import from_json

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.json"))
FAULTS = Path(__file__).parents[1] / "faults"


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recording_names_the_causes_of_its_fault(path: Path) -> None:
    fault = yaml.safe_load((FAULTS / f"{path.stem}.yaml").read_text())
    catalogue = Catalogue.load()
    seen = look(catalogue, from_json(path.read_text(), catalogue))
    errors = [d.cause.probe for d in seen.diagnoses if d.cause.severity is Severity.ERROR]
    assert sorted(errors) == sorted(fault["causes"])


def test_what_an_experiment_tried_on_a_recording_says_what_to_type() -> None:
    catalogue = Catalogue.load()
    seen = look(catalogue, from_json((RECORDINGS[0].parent / "nft-table-drops-postgres.json").read_text(), catalogue))
    assert seen.experiments is not None
    command = "sudo nft delete rule inet corp guard handle 2"
    assert [each.by_hand for trial in seen.experiments.trials for cure in trial.cures for each in cure] == [(command,)]
    assert seen.diagnoses[0].cause.by_hand[0] == command


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recording_holds_no_secret(path: Path) -> None:
    text = path.read_text()
    assert "lab-canary" not in text
    assert "PRIVATE KEY" not in text
    assert "client-key-data" not in text


def test_replay_needs_no_root_and_no_cluster() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netdoctor", "check", "--facts", str(RECORDINGS[0]), "-o", "json"],
        check=False, capture_output=True, text=True, timeout=30, env={"PATH": "", "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("{")
