"""`netdoctor check -o FORMAT` and `--report FILE`, whose ending chooses the format."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.test_cli import START, netdoctor, one_sentence, recording
from tests.conftest import ROOT
from tests.twin.network import real

pytestmark = pytest.mark.thorough

__all__ = ["recording"]  # the fixture
BEGIN = {
    "json": "{", "markdown": "## netdoctor check: FAULTY\n", "junit": "<?xml ", "html": "<!doctype html>",
}  # fmt: skip
ENDINGS = {
    ".json": "json", ".md": "markdown", ".MD": "markdown", ".markdown": "markdown", ".xml": "junit", ".html": "html",
    ".htm": "html", "": "json",
}  # fmt: skip


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("ending", list(ENDINGS))
def test_the_ending_chooses_the_format(recording: Path, tmp_path: Path, ending: str, trust: bool) -> None:
    file = tmp_path / f"report{ending}"
    done = netdoctor("check", "--facts", recording, "--report", file, *(["--trust-recording"] if trust else []))
    assert (done.returncode, done.stderr) == (1, f"report: {file}\n")
    assert file.read_text().startswith(BEGIN[ENDINGS[ending]])
    assert "CAUSE  net.ipv4.ip_forward is 0" in done.stdout


@pytest.mark.parametrize("name", ["report.pdf", "report.txt", "report.json.gz", "report.yaml"])
def test_an_ending_of_another_format_is_refused_before_the_work(recording: Path, tmp_path: Path, name: str) -> None:
    done = netdoctor("check", "--facts", recording, "--report", tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "a report is written as" in one_sentence(done)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("output", list(BEGIN))
def test_a_document_on_standard_output(recording: Path, output: str, trust: bool) -> None:
    done = netdoctor("check", "--facts", recording, "-o", output, *(["--trust-recording"] if trust else []))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(BEGIN[output])
    assert done.stdout.endswith("\n")


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("output", list(BEGIN))
def test_a_dash_is_standard_output_as_output_says(recording: Path, output: str, trust: bool) -> None:
    arguments: list[str | Path] = [
        "check",
        "--facts",
        recording,
        "--report",
        "-",
        *(["--trust-recording"] if trust else []),
    ]
    done = netdoctor(*arguments, "-o", output)
    assert (done.stdout.count(BEGIN["markdown"]), done.stderr) == (int(output == "markdown"), "")
    assert done.stdout.startswith(BEGIN[output])
    as_text = netdoctor(*arguments)
    assert json.loads(as_text.stdout)["schema_version"]
    assert "CAUSE  net.ipv4.ip_forward is 0" in as_text.stderr


@pytest.mark.parametrize("arguments", [["-o", "html"], ["-o", "html", "--report", "-"]])
def test_a_terminal_is_not_filled_with_html(recording: Path, arguments: list[str]) -> None:
    ours, theirs = pty.openpty()
    command = [*START, "check", "--facts", str(recording), *arguments]
    done = subprocess.run(command, check=False, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=30, cwd=ROOT)
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, "--report report.html" in done.stderr) == (2, True)


@real
def test_a_process_without_rights_draws_a_recording(tmp_path: Path) -> None:
    recorded, file = ROOT / "tests/recordings/nft-table-drops-postgres.json", tmp_path / "report.html"
    assert netdoctor("check", "--facts", recorded, "--report", file).returncode == 1
    assert file.read_text().count("<svg ") == 3


def test_two_formats_at_once(recording: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    done = netdoctor("check", "--facts", recording, "-o", "json", "--report", file)
    assert (json.loads(done.stdout)["schema_version"] > 0, done.stderr) == (True, "")
    assert file.read_text().startswith(BEGIN["markdown"])


@pytest.mark.parametrize("arguments", ["-o junit --facts /dev/null", "-o junit -v -q", "--output=junit --report /x/y"])
def test_an_error_is_a_document_of_junit(arguments: str) -> None:
    done = netdoctor("check", *arguments.split())
    assert done.returncode == 2
    root = ElementTree.fromstring(done.stdout)
    assert (root.tag, root.get("errors")) == ("testsuites", "1")
    assert str(root[0][0][0].get("message")) in one_sentence(done)
