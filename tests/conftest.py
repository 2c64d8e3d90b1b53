"""What the tests share: the lab, or the reason why there is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from netdoctor.secret_forms.known import KnownSecrets

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "tests/lab/lab"
# not by way of a version manager's shell script, and without what the site adds: some thousand times
COMMAND = (sys.executable, "-IS", str(LAB))
REQUIRED = os.environ.get("NETDOCTOR_REQUIRE_LAB") == "1"
# the workers of pytest-xdist have it, and what netdoctor writes to pipes would be wrapped
os.environ.pop("COLUMNS", None)
os.unsetenv("COLUMNS")  # readline, which pytest imports, sets it behind the back of os.environ
# a shell's background job ignores them, and so would every program that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@dataclass(frozen=True)
class Lab:
    """A real node that may be broken: commands on it, beside it, and a fresh one."""

    name: str

    def _call(self, *argv: str, timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *argv], check=False, capture_output=True, text=True, timeout=timeout)

    def reset(self, firewalld: str = "", *, modules: bool = False) -> None:
        """A healthy node again; with what the gateway modules need on request."""
        more = [*(["--firewalld", firewalld] if firewalld else []), *(["--modules"] if modules else [])]
        done = self._call("reset", "--name", self.name, *more, timeout=400)
        assert done.returncode == 0, done.stderr

    def reboot(self) -> None:
        """The node with the files that it has, and everything else as after a boot."""
        done = self._call("reboot", "--name", self.name, timeout=400)
        assert done.returncode == 0, done.stderr

    def down(self) -> None:
        self._call("down", "--name", self.name, timeout=60)

    def exec(self, command: str | list[str], timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """A command, or shell lines, as root on the node."""
        argv = ["sh", "-c", command] if isinstance(command, str) else command
        return self._call("exec", "--name", self.name, "--", *argv, timeout=timeout)

    def outside(self, command: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Shell lines in the outside world."""
        return self._call("outside", "--name", self.name, "--", "sh", "-c", command, timeout=timeout)

    def must(self, command: str | list[str]) -> str:
        """The output of a command that has to succeed."""
        done = self.exec(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, program: str, *environment: str, timeout: float = 240) -> str:
        """What a Python program prints that runs on the node, with netdoctor and these variables (NAME=value)."""
        argv = [*COMMAND, "exec", "--name", self.name, "--", "env", *environment, "/opt/netdoctor/bin/python", "-"]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, input=program, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab, built if it can be; what needs it is skipped with the reason, or fails where the lab is required."""
    done = subprocess.run([str(LAB), "require"], check=False, capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        done = subprocess.run([str(LAB), "build"], check=False, capture_output=True, text=True, timeout=3600)
    if done.returncode:
        reason = f"the lab cannot be built here: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
        if REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = os.environ.get("NETDOCTOR_TEST_LAB", "tests")  # two checkouts on one machine need labs of their own
    node = Lab(f"{name}-{worker}" if worker else name)
    yield node
    node.down()


# the gateways' tests on one lab, one after the other: five gateways at a time are enough for two processors
OF_GATEWAYS = ("test_story", "test_gate", "test_deploy", "test_documents")
# files that share a node between their tests, the longest first; after them the faults, which any lab may take
LONGEST_FIRST = (*OF_GATEWAYS, "test_rehearsal_lab", "test_lab")
FAULTS = "test_faults"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest file of those that need the lab begin first."""
    on_lab = [item for item in items if item.get_closest_marker("lab")]
    on_lab.sort(key=_turn)
    items[:] = [*(item for item in items if not item.get_closest_marker("lab")), *on_lab]


def _turn(item: pytest.Item) -> int:
    name = item.path.stem
    if name == FAULTS:
        return len(LONGEST_FIRST) + 1
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of one file on one lab, and those of the gateways; each fault goes to the lab that is free."""
    if config.option.markexpr != "lab":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class LabScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
        """One scope is what stays on one lab."""

        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.partition("::")[0]).stem
            if file == FAULTS:
                return nodeid
            return "gateways" if file in OF_GATEWAYS else file

    return LabScheduling(config, log)


TOLD = ("tried again on a fresh node", "left behind")
LEFT_OUT = ("repair left to another run", "gate left to another run")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults had a fresh node, which were tried again on one, and whose repair is another run's."""
    told: dict[str, list[str]] = {}
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call":
            for name, value in report.user_properties:
                told.setdefault(str(name), []).append(str(value))
    if not told:
        return
    nodes = told.get("node", [])
    terminalreporter.write_line(
        f"{nodes.count('fresh')} faults on a fresh node, {nodes.count('went on')} on one that went on"
    )
    for name in TOLD:
        for value in sorted(told.get(name, [])):
            terminalreporter.write_line(f"{name}: {value.splitlines()[0]}")
    for name in LEFT_OUT:
        terminalreporter.write_line(f"{name}: {' '.join(sorted(told.get(name, []))) or 'none'}")


@pytest.fixture(autouse=True)
def _no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has had read is not hidden in the next one's texts."""
    monkeypatch.setattr("netdoctor.redact._known", KnownSecrets())
