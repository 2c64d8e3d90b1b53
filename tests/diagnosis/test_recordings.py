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
from tests.conftest import ROOT
from tests.scripts import script

face, readme = script("face"), script("readme")
RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.json"))
FAULTS = Path(__file__).parents[1] / "faults"


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


def test_the_first_page_shows_what_trace_draws(tmp_path: Path) -> None:
    drawn = tmp_path / "trace.svg"
    subprocess.run([ROOT / "scripts/picture", drawn], check=True, capture_output=True, timeout=60)
    assert drawn.read_bytes() == (ROOT / "docs/img/trace.svg").read_bytes(), "scripts/picture draws it"


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
