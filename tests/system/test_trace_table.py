"""The trace's table goes with the process that made it, in a namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft"), reason="needs root and nft")
# a run that traces until it is killed
TRACING = """
import signal, sys
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import trace
{before}
def ask():
    print("traced", flush=True)
    signal.pause()
trace(Host(), "10.9.8.1", "10.9.8.2", "tcp", 81, ask)
"""
# where nft knows no owner of a table, as before 1.0
WITHOUT_OWNER = """
from netdoctor.system import trace_table
whole = trace_table._table
trace_table._table = lambda flow, flags: whole(flow, "flags nonsense;" if flags else "")
"""


def in_namespace(script: str, *arguments: str) -> str:
    """What a shell script says in a network namespace of its own."""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-euc", script, sys.executable, *arguments], check=True, capture_output=True,
        text=True, timeout=60, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout


KILLED = (
    'mkfifo "$2/said"; "$0" -c "$1" >"$2/said" & pid=$!; read -r line <"$2/said"; echo "$line"; '
    "nft list tables; kill -9 $pid; wait $pid || true; i=0; "
    'while [ -n "$(nft list tables)" ] && [ $i -lt 20 ]; do sleep 0.1; i=$((i + 1)); done; '
    'echo "left: $(nft list tables)"'
)


def test_a_run_that_is_killed_leaves_no_table(tmp_path: Path) -> None:
    said = in_namespace(KILLED, TRACING.format(before=""), str(tmp_path)).splitlines()
    assert said == ["traced", "table inet netdoctor_trace", "left: "]


@pytest.mark.thorough
def test_where_no_table_has_an_owner_the_next_run_sweeps(tmp_path: Path) -> None:
    sweep = "from netdoctor.system.host import Host; from netdoctor.system.trace_table import sweep; sweep(Host())"
    script = f'{KILLED}; "$0" -c "{sweep}"; echo "swept: $(nft list tables)"'
    said = in_namespace(script, TRACING.format(before=WITHOUT_OWNER), str(tmp_path)).splitlines()
    assert said[:3] == ["traced", "table inet netdoctor_trace", "left: table inet netdoctor_trace"]
    assert said[3:] == ["swept: "]


# what each run does, also one that finds nothing to trace
LOOK = """
from netdoctor.errors import CannotRead
from netdoctor.facts import Finalizers
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.traffic.drops import Drops
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.system.host import Host
cni = CniConfig("", "", (), (), (), "")
Drops.collect(Host(), FailedFlows((), True), CannotRead("twin", "not made"), cni, Finalizers())
"""


def test_looking_sweeps() -> None:
    script = 'nft add table inet netdoctor_trace; "$0" -c "$1"; echo "left: $(nft list tables)"'
    assert in_namespace(script, LOOK) == "left: \n"


def test_a_sweep_leaves_the_table_of_a_run_that_is_alive(tmp_path: Path) -> None:
    sweep = "from netdoctor.system.host import Host; from netdoctor.system.trace_table import sweep; sweep(Host())"
    script = (
        'mkfifo "$2/said"; "$0" -c "$1" >"$2/said" & pid=$!; read -r line <"$2/said"; '
        f'"$0" -c "{sweep}"; nft list tables; kill -9 $pid'
    )
    assert in_namespace(script, TRACING.format(before=""), str(tmp_path)) == "table inet netdoctor_trace\n"
