"""`gate --facts`: what was recorded, judged by the gate, in a process without rights or in this one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_cli import netdoctor, one_sentence, recording
from tests.conftest import ROOT
from tests.reports import causes
from tests.schemas import valid

pytestmark = pytest.mark.thorough

__all__ = ["recording"]  # the fixture
HEALTHY = ROOT / "tests/recordings/healthy.json"
BROKEN = ROOT / "tests/recordings/note-a-firewalld-reload.json"
HOW = pytest.mark.parametrize("more", [(), ("--trust-recording",)])


@HOW
def test_a_healthy_node_has_what_modules_need(more: tuple[str, ...]) -> None:
    done = netdoctor("gate", "--facts", HEALTHY, *more)
    assert (done.returncode, done.stderr) == (0, "")
    head = r"gate: OPEN\n  tested from test pod default/netdoctor-[0-9a-f]{6}\n  no gateway modules: .*\n  ✓ "
    assert re.match(head, done.stdout)


@HOW
def test_a_fault_closes_it_and_is_repaired_on_the_node(more: tuple[str, ...]) -> None:
    done = netdoctor("gate", "--facts", BROKEN, *more)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("gate: CLOSED\n")
    assert "(firewalld-rejects-pods)\n  fix    on the node: sudo netdoctor fix --dry-run\n" in done.stdout


@HOW
def test_as_json(more: tuple[str, ...], recording: Path) -> None:
    done = netdoctor("gate", "--facts", recording, "-o", "json", *more)
    gate = valid("gate", done.stdout)
    assert (done.returncode, gate["verdict"], causes(gate)) == (1, "closed", ["ip-forward-disabled"])
    assert gate["kubeconfig"] == ""


def test_what_is_no_recording(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text("[]")
    done = netdoctor("gate", "--facts", file, "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["error"]) == (2, one_sentence(done).removeprefix("netdoctor: "))
