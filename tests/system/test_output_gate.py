"""The gate before every output: what passes, what does not, who writes beside it; and how a mistake ends a command."""

from __future__ import annotations

import ast
import io
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import netdoctor
from netdoctor import cli
from netdoctor import redact as redaction
from netdoctor.errors import CannotRead
from netdoctor.output.output_file import OutputFile
from netdoctor.system import output_gate
from netdoctor.system.host import Host
from netdoctor.system.output_gate import UNCHECKED, GuardedStream, Unchecked, passed
from tests.schemas import valid

CANARY = "canary4k8s9x2q7m1z"
SOURCES = sorted(Path(netdoctor.__file__).parent.rglob("*.py"))
# who writes to files or descriptors, and why nothing of it is for the outside
WRITERS = {
    "system/output_gate.py": "the gate",
    "output/output_file.py": "files that the user names: what passes the gate",
    "system/foreign_files.py": "what netdoctor keeps: .env, the journal",
    "recording/confined.py": "the answer of the process that judges a recording, which goes through the gate",
    "recording/named_file.py": "what comes out of a pipe, into memory: the input of a child",
    "terminal/completion.py": "the answer of a child, read by a pipe",
    "repair/journal.py": "its own state",
    "repair/runs.py": "its own state",
    "facts/gateways/postgres_client.py": "the answer of a child, read by a pipe",
    "rehearsal/second_firewalld.py": "the answer of a child, read by a pipe; files of a daemon in a folder of its own",
    "twin/namespace.py": "/proc", "twin/build.py": "/proc", "twin/outside.py": "/proc",
    "rehearsal/firewalld_rehearsal.py": "/proc",
    "experiments/interventions/__init__.py": "/proc", "changes/sysctl.py": "/proc",
    "changes/file.py": "what a repair writes",
    "system/bounded_process.py": "the input of a child", "facts/gateways/kustomize.py": "the input of a child",
}  # fmt: skip


class Screen(io.TextIOWrapper):
    """A standard stream of which the test reads what came out."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="replace")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def told(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


class Standard:
    """Standard output and error of a command that runs in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self.out, self.err = monkeypatch, Screen(), Screen()

    def take(self) -> None:
        self._monkeypatch.setattr(sys, "stdout", self.out)
        self._monkeypatch.setattr(sys, "stderr", self.err)

    def run(self, *arguments: str) -> object:
        """The exit status of the command."""
        self._monkeypatch.setattr(sys, "argv", ["netdoctor", *arguments])
        self.take()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code

    @property
    def told(self) -> str:
        return self.out.told + self.err.told


@pytest.fixture
def standard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standard]:
    """What `main` changes is put back."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)}
    path = os.environ.get("PATH", "")
    yield Standard(monkeypatch)
    os.environ["PATH"] = path
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stream_writes_what_passes() -> None:
    screen = Screen()
    stream = GuardedStream(screen)
    redaction.remember(CANARY)
    stream.write(f"one {CANARY[:9]}")
    stream.write(f"{CANARY[9:]} two\n")  # in two writes
    print("three", CANARY, file=stream, flush=True)
    stream.buffer.write(f"four {CANARY}\n".encode())
    stream.flush()
    assert screen.told == "one [redacted] two\nthree [redacted]\nfour [redacted]\n"


def test_colours_stay_where_nothing_is_hidden() -> None:
    redaction.remember(CANARY)
    assert passed("\x1b[1mbold\x1b[0m\n") == "\x1b[1mbold\x1b[0m\n"
    assert CANARY[:8] not in passed(f"\x1b[1m{CANARY[:8]}\x1b[0m{CANARY[8:]}\n")
    assert "\x1b" not in passed("\x1b[2J\x1b]0;owned\x07")
    assert passed("\x1b[2K\r", terminal=True) == "\x1b[2K\r"
    assert "\x1b]" not in passed("\x1b]0;owned\x07", terminal=True)


def test_json_stays_json() -> None:
    redaction.remember('quo"te-9f8e7d6c5b')
    for indent in (None, 1, 2):
        text = json.dumps(
            {"a": 'x quo"te-9f8e7d6c5b y', "password": CANARY, "n": [1, "ä"]}, indent=indent, ensure_ascii=False
        )
        told = json.loads(passed(text))
        assert told == {"a": "x [redacted] y", "password": "[redacted]", "n": [1, "ä"]}
    unchanged = json.dumps({"a": ["b=c", {"secret": "litellm-keys"}]}, indent=1) + "\n"
    assert passed(unchanged) == unchanged


def test_json_gives_no_secret_away_by_what_stands_around_a_text() -> None:
    environment = [{"name": "DB_PASSWORD", "value": "hunter2"}, {"value": "hunter2", "name": "API_TOKEN"}]
    arguments = ["kubelogin", "--client-secret", "hunter2", "--server-id", "a"]
    numbers = {"password": 4711471147114711, "prompt_tokens": 812, "passwords": [4711471147114711, True]}
    keys = {"tokens": {"sk-0123456789abcdef": "x"}}
    given = {"env": environment, "args": arguments, "numbers": numbers, "keys": keys, "name": "coredns", "value": "5"}
    told = json.loads(passed(json.dumps(given)))
    assert told["env"] == [{"name": "DB_PASSWORD", "value": "[redacted]"}, {"value": "[redacted]", "name": "API_TOKEN"}]
    assert told["args"] == ["kubelogin", "--client-secret", "[redacted]", "--server-id", "a"]
    assert told["numbers"] == {"password": "[redacted]", "prompt_tokens": 812, "passwords": ["[redacted]", True]}
    assert told["keys"] == {"tokens": {"[redacted]": "[redacted]"}}
    assert (told["name"], told["value"]) == ("coredns", "5")


def test_what_cannot_be_checked_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(text: str) -> str:
        raise ZeroDivisionError(text)

    monkeypatch.setattr(redaction, "redact", fails)
    screen = Screen()
    stream = GuardedStream(screen)
    stream.write(CANARY)
    with pytest.raises(Unchecked):
        stream.flush()
    stream.write("more")
    with pytest.raises(Unchecked):
        stream.flush()
    assert screen.told == ""
    target = tmp_path / "report"
    with OutputFile.named(str(target)) as file, pytest.raises(CannotRead):
        file.write(CANARY.encode())
    assert not target.exists()


def test_it_has_no_descriptor_to_lend() -> None:
    with pytest.raises(io.UnsupportedOperation):
        subprocess.run(["true"], stderr=GuardedStream(Screen()), check=False)  # type: ignore[call-overload]


def test_warnings_and_threads_pass_it(standard: Standard) -> None:
    standard.take()
    output_gate.install()
    sys.stderr.write(warnings.formatwarning(f"password={CANARY}", UserWarning, "x.py", 1))
    threading.excepthook = cli._thread_ended
    redaction.remember(CANARY)
    thread = threading.Thread(target=lambda: int(CANARY))
    thread.start()
    thread.join()
    sys.stderr.flush()
    assert "UserWarning" in standard.err.told
    assert "ValueError" in standard.err.told
    assert CANARY not in standard.err.told
    assert "Traceback" not in standard.err.told


@pytest.mark.thorough
def test_nobody_writes_beside_it() -> None:
    found = {}
    for source in SOURCES:
        name = str(source.relative_to(Path(netdoctor.__file__).parent))
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if name not in WRITERS and (what := _writes(node)):
                found[f"{name}:{getattr(node, 'lineno', 0)}"] = what
    assert found == {}


@pytest.mark.thorough
def test_no_child_inherits_the_streams() -> None:
    found = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "subprocess.run",
                "subprocess.Popen",
                "subprocess.call",
            ):
                given = {keyword.arg for keyword in node.keywords}
                if not ({"stdout", "stderr"} <= given or "capture_output" in given or None in given):
                    found.append(f"{source.name}:{node.lineno}")
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "os.system",
                "os.popen",
                "os.execv",
                "os.spawnv",
            ):
                found.append(f"{source.name}:{node.lineno}")
    assert found == []


def _writes(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.__stdout__", "sys.__stderr__"):
        return ast.unparse(node)
    if not isinstance(node, ast.Call):
        return ""
    called = ast.unparse(node.func)
    if called in ("print", "os.write", "os.writev", "sys.stdout.buffer.write") or called.endswith(
        (".write_text", ".write_bytes")
    ):
        return called
    if called in ("open", "io.open") or called.endswith((".open", ".fdopen")):
        modes = [a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
        return (
            called
            if any(
                isinstance(mode, str) and mode and set(mode) <= set("rwaxbt+") and set(mode) & set("wax+")
                for mode in modes
            )
            else ""
        )
    return ""


# each stage of each command: a mistake there ends it
STAGES = {
    "check": ("netdoctor.diagnosis.catalogue.Catalogue.load", "netdoctor.diagnosis.check.look",
              "netdoctor.output.report_json.to_json",
              "netdoctor.repair.runs.changes_in_force", "netdoctor.repair.runs.unfinished_notice",
              "netdoctor.diagnosis.check.run",
              "netdoctor.diagnosis.check.diagnose", "netdoctor.diagnosis.check.verified"),
    "fix --dry-run": ("netdoctor.diagnosis.catalogue.Catalogue.load", "netdoctor.diagnosis.check.look",
                      "netdoctor.repair.plan.plan",
                      "netdoctor.repair.runs.unfinished_notice", "netdoctor.output.repair_text.json_text"),
    "fix": ("netdoctor.repair.runs.locked", "netdoctor.repair.unfinished.unfinished"),
    "undo": ("netdoctor.repair.runs.readable_runs", "netdoctor.repair.journal.state_folder"),
    "undo --list": ("netdoctor.repair.runs.readable_runs",),
    "gate": ("netdoctor.facts.gateways.kustomization.chosen", "netdoctor.diagnosis.gate.ask"),
    "deploy -k k8s": ("netdoctor.facts.gateways.kustomization.file_in", "netdoctor.cli.deploy._finds_cluster"),
    "status": ("netdoctor.gateways.status.read",),
    "trace host node 1": ("netdoctor.cli.trace._known", "netdoctor.cli.trace._trace"),
    "record -": ("netdoctor.diagnosis.check.look", "netdoctor.diagnosis.catalogue.Catalogue.load"),
    "explain": ("netdoctor.diagnosis.catalogue.Catalogue.load",),
}  # fmt: skip
INJECTED = [(command, stage) for command, stages in STAGES.items() for stage in stages]


@pytest.mark.parametrize(("command", "stage"), INJECTED, ids=str)
@pytest.mark.parametrize("error", [ZeroDivisionError, RecursionError, StopIteration])
def test_a_mistake_in_any_stage(
    command: str, stage: str, error: type[Exception], standard: Standard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error(f"password={CANARY}")

    if command.startswith(("fix", "undo")) and not Host().is_root:
        pytest.skip("root alone")
    monkeypatch.setattr("netdoctor.diagnosis.check.run", lambda *_, **__: {})  # quick: no probe is asked
    monkeypatch.setattr(stage, fails)
    json_too = not command.startswith(("record", "explain"))
    status = standard.run(*command.split(), *(["--output", "json"] if json_too else []))
    out, err = standard.out.told, standard.err.told
    assert status == 3
    assert "Traceback" not in out + err
    assert CANARY not in out + err
    assert f"a bug in netdoctor ended it ({error.__name__}" in err
    assert len(err.splitlines()) == 1
    if json_too:
        told = valid("error", out)
        assert "a bug in netdoctor" in told["error"]


def test_the_details_are_shown_where_they_are_asked_for(standard: Standard, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError(f"password={CANARY}")

    monkeypatch.setattr("netdoctor.diagnosis.catalogue.Catalogue.load", fails)
    monkeypatch.setenv("NETDOCTOR_TRACEBACK", "1")
    assert standard.run("explain") == 3
    assert "Traceback" in standard.err.told
    assert CANARY not in standard.err.told


@pytest.mark.parametrize("command", ["check --output json", "explain", "nonsense"])
def test_without_the_gate_there_is_one_fixed_sentence(
    command: str, standard: Standard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> str:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(redaction, "visible", fails)
    monkeypatch.setattr("netdoctor.diagnosis.check.run", lambda *_, **__: {})
    assert standard.run(*command.split()) == 3
    assert UNCHECKED in standard.err.told
    assert CANARY not in standard.told
    if "json" in command:
        assert valid("error", standard.out.told)["error"]


def test_a_usage_error_passes_it(standard: Standard) -> None:
    assert standard.run(f"--password={CANARY}", "check", "--output", "json") == 2
    assert CANARY not in standard.told
    assert valid("error", standard.out.told)["error"]
