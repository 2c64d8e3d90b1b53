"""`netdoctor demo`: each command that it shows is run, on any machine, and nothing of it stays on that machine."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netdoctor.cli.demo import NO_NAMESPACE, RECORDING, STEPS
from tests.cli.test_cli import START, netdoctor
from tests.conftest import ROOT
from tests.recording.test_confinement import WITHOUT_NAMESPACES
from tests.terminal.on_terminal import Terminal

pytestmark = pytest.mark.thorough

LONGEST = 15.0  # seconds, of a quiet machine
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody, or make namespaces for a test")
copies = pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed, so there are no copies")
CAUSE = "CAUSE  firewalld rejects traffic from 4 of this node's pods"
STOP = "STOPPED at inet firewalld filter_FORWARD_POLICIES, handle 134"
REHEARSED = "3 of 3 failing connections work"
PLAN = "Plan: 1 repair, 1 zone of firewalld, 1 file of firewalld."
# rules, links, settings, mounts, files where programs leave them, and processes
SCRIPT = """
folder=$1; shift
state() {
    nft list ruleset; ip -o link; ip -4 -o route; sysctl -a -r '^net\\.' 2>/dev/null | grep -v 'nf_conntrack_count'
    find /var/lib /var/tmp /run /dev/shm; grep -v '^nsfs' /proc/mounts  # other tests' namespaces come and go
    names=$(for each in /proc/[0-9]*; do read -r name <"$each/comm" && echo "$name"; done)
    echo "$names" | sed '/^sh$/d'
}
for each in /var/lib /var/tmp /run /dev/shm; do mount -t tmpfs none "$each"; done
nft add table inet canary
state >"$folder/before"
TMPDIR=/var/tmp "$@" >"$folder/shown" || exit 1
state >"$folder/after"
"""


def shows_everything(text: str) -> None:
    for words in (CAUSE, STOP, REHEARSED, PLAN, "## By hand"):
        assert words in text, words
    for step in STEPS:
        assert f"$ netdoctor {' '.join(step.command)}\n" in text


@copies
def test_it_shows_the_cause_the_stop_and_the_rehearsal() -> None:
    begin = time.monotonic()
    done = netdoctor("demo")
    assert (done.returncode, done.stderr) == (0, "")
    shows_everything(done.stdout)
    assert time.monotonic() - begin < LONGEST * max(1.0, os.getloadavg()[0])


@root
@copies
def test_as_nobody() -> None:
    python = shutil.which("python3", path="/usr/bin:/bin") or "python3"
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {"PYTHONPATH": f"{ROOT}:{packages}", "NO_COLOR": "1"}
    try_out = "import sys, click; sys.exit(sys.version_info[:2] != tuple(map(int, sys.argv[1:])))"
    version = map(str, sys.version_info[:2])
    fits = subprocess.run(
        [*NOBODY, python, "-c", try_out, *version], check=False, capture_output=True, env={**os.environ, **environment}
    )
    if fits.returncode:
        pytest.skip(
            "there is no Python of this version and setpriv that everybody may use, or no dependency it can read"
        )
    if subprocess.run([*NOBODY, "unshare", "-Urn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel lets nobody make a user namespace")
    done = netdoctor("demo", environment=environment, before=(*NOBODY, python), start=START[1:])
    assert (done.returncode, done.stderr) == (0, "")
    shows_everything(done.stdout)


def test_what_it_shows_is_what_the_commands_print() -> None:
    shown = netdoctor("demo", "--no-pause").stdout
    for step in (STEPS[0], STEPS[1]):
        words = [str(RECORDING) if word == "demo.json.gz" else word for word in step.command]
        assert netdoctor(*words).stdout in shown


def test_its_recording_is_that_of_the_tests() -> None:
    recorded = ROOT / "tests/recordings/note-a-firewalld-reload.json"
    assert gzip.decompress(RECORDING.read_bytes()) == recorded.read_bytes(), "scripts/record writes both"
    assert RECORDING.stat().st_size < 64 << 10


def test_without_nft_it_says_so_in_one_sentence_and_shows_the_rest() -> None:
    done = netdoctor("demo", environment={"PATH": "/nonexistent"})
    assert done.returncode == 0
    assert CAUSE in done.stdout
    assert PLAN in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if "not shown here" in line)
    assert line.startswith("! not shown here: the packet's way, and the rehearsal of the repair: ")
    assert "nft is not installed" in line


@root
def test_without_user_namespaces_it_says_so_in_one_sentence_and_shows_the_rest() -> None:
    done = netdoctor("demo", before=(sys.executable, "-c", WITHOUT_NAMESPACES))
    assert done.returncode == 0
    assert CAUSE in done.stdout
    assert PLAN in done.stdout
    assert done.stdout.count(NO_NAMESPACE) == 1


@root
@copies
def test_nothing_of_it_stays_on_the_machine(tmp_path: Path) -> None:
    """In namespaces of its own, so that nothing else that goes on here is seen."""
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", str(script), str(tmp_path)]
    done = subprocess.run([*apart, *START, "demo"], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = ((tmp_path / name).read_text() for name in ("before", "after"))
    assert "net.ipv4.ip_forward" in before
    assert "table inet canary" in before
    assert after == before
    assert STOP in (tmp_path / "shown").read_text()


@copies
def test_on_a_terminal_it_waits_between_the_steps_and_ends_with_q() -> None:
    terminal = Terminal.running([*START, "demo"], str(ROOT))
    terminal.until("ENTER goes on, q ends: ")
    assert "2 of 4" not in terminal.text
    terminal.type("\n")
    terminal.until("2 of 4")
    terminal.until("ENTER goes on, q ends: ")
    terminal.type("q\n")
    assert terminal.ended() == 0
    assert "3 of 4" not in terminal.text
