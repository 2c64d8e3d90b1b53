"""What the shell offers: asked as bash, zsh and fish ask, in the middle of a line."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import CannotRead
from netdoctor.repair.journal import begin
from netdoctor.system.kubeconfig import Choice, _Choices
from netdoctor.terminal import completion
from tests.cli.test_cli import CLUSTERLESS
from tests.conftest import ROOT

pytestmark = pytest.mark.thorough

HEALTHY = ROOT / "tests/recordings/healthy.json"
INSTALLED = "import sys; sys.argv[0] = 'netdoctor'; from netdoctor.cli import main; main()"


def asked(instruction: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """netdoctor, as the shell's own function calls it."""
    line = {"COMP_WORDS": " ".join(("netdoctor", *words)), "COMP_CWORD": str(len(words))}
    return subprocess.run(
        [sys.executable, "-c", INSTALLED], check=False, capture_output=True, text=True, timeout=30, cwd=ROOT,
        env={**os.environ, **CLUSTERLESS, **line, "_NETDOCTOR_COMPLETE": instruction, **environment},
    )  # fmt: skip


def offered(*words: str, **environment: str) -> list[str]:
    done = asked("bash_complete", *words, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


EXEC = "exec: {apiVersion: client.authentication.k8s.io/v1, command: PROGRAM, interactiveMode: IfAvailable}"
PROVIDER = "auth-provider: {name: gcp, config: {cmd-path: PROGRAM}}"
POD = {"metadata": {"namespace": "default", "name": "client", "uid": "1"}, "spec": {}, "status": {}}


def kubeconfig(folder: Path, server: str, user: str = "") -> Path:
    """A kubeconfig for this server and user."""
    file = folder / "kubeconfig"
    file.write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
        f"clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
    return file


def programs_that_mark(folder: Path, mark: Path) -> str:
    """A PATH of programs that facts are read by, each of which leaves a mark."""
    there = folder / "bin"
    there.mkdir()
    for name in ("iptables-save", "iptables", "nft", "crictl", "kubectl", "ip"):
        (there / name).write_text(f"#!/bin/sh\necho {name} >>{mark}\n")
        (there / name).chmod(0o755)
    return str(there)


@contextmanager
def api_server() -> Iterator[str]:
    """The address of an API server with one pod and no Service."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            items = [POD] if self.path == "/api/v1/pods" else []
            data = json.dumps({"kind": "List", "items": items}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_own_function(shell: str) -> None:
    done = asked(f"{shell}_source")
    assert done.returncode == 0
    assert f"_NETDOCTOR_COMPLETE={shell}_complete" in done.stdout


def test_commands() -> None:
    assert offered("c") == ["check", "confirm"]
    assert offered("help", "c") == ["check", "confirm"]


def test_pages() -> None:
    assert offered("explain", "ip-") == ["ip-forward-disabled"]
    assert offered("explain", "IP_f") == ["ip-forward-disabled"]
    assert offered("explain", "enable-ip") == ["enable-ip-forward"]
    assert "The node does not forward IPv4 packets" in asked("zsh_complete", "explain", "ip").stdout


class TestEnds:
    def test_of_a_recording(self) -> None:
        trace = ("trace", "--facts", str(HEALTHY))
        assert offered(*trace, "cli") == ["default/client"]
        assert offered(*trace, "default/c") == ["default/client"]
        assert offered(*trace, "ho") == ["host"]
        assert offered(*trace, "default/client", "svc/post") == ["svc/default/postgres"]
        assert "svc/default/postgres" in offered(*trace, "default/client", "post")
        assert offered(*trace, "default/client", "inter") == ["internet"]

    def test_of_a_packed_one(self, tmp_path: Path) -> None:
        packed = tmp_path / "node.json.gz"
        packed.write_bytes(gzip.compress(HEALTHY.read_bytes()))
        assert offered("trace", "--facts", str(packed), "cli") == ["default/client"]

    def test_a_strangers_names_do_nothing_to_the_shell(self, tmp_path: Path) -> None:
        names = ["good", "bad\x1b]0;owned\x07", "bad\nname", "bad$(reboot)", "bad name"]
        items = [{"namespace": "default", "name": name} for name in names]
        file = tmp_path / "odd.json"
        file.write_text(json.dumps({"schema_version": 1, "facts": {"Pods": {"fact": {"items": items}}}}))
        assert offered("trace", "--facts", str(file), "default/") == ["default/good"]

    @pytest.mark.parametrize("text", ["", "junk", "[]", '{"facts": {"Pods": {"fact": 3}}}'])
    def test_a_damaged_recording_offers_nothing_and_says_nothing(self, text: str, tmp_path: Path) -> None:
        file = tmp_path / "damaged.json"
        file.write_text(text)
        assert offered("trace", "--facts", str(file), "default/") == []

    def test_nothing_is_read_with_the_users_own_rights(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "default/client" in completion.sources("cli", str(HEALTHY))

        def refused() -> None:
            raise CannotRead("recording", "root cannot become nobody here")

        monkeypatch.setattr(completion, "confine", refused)
        assert completion.sources("cli", str(HEALTHY)) == []

    @pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
    def test_the_shells_own_input_is_not_read(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(completion, "open_recording", lambda _: pytest.fail("it was opened"))
        assert completion.sources("ho", name) == ["host"]

    def test_without_a_cluster(self) -> None:
        assert offered("trace", "ho") == ["host"]

    @pytest.mark.parametrize("needs", [EXEC, PROVIDER])
    @pytest.mark.parametrize("how", ["KUBECONFIG", "--kubeconfig"])
    def test_nothing_is_started_for_a_kubeconfig(self, needs: str, how: str, tmp_path: Path) -> None:
        program, mark = tmp_path / "plugin", tmp_path / "mark"
        program.write_text(f"#!/bin/sh\necho started >>{mark}\n")
        program.chmod(0o755)
        with api_server() as server:
            file = kubeconfig(tmp_path, server, needs.replace("PROGRAM", str(program)))
            words = ("trace",) if how == "KUBECONFIG" else ("trace", how, str(file))
            environment = {how: str(file)} if how == "KUBECONFIG" else {}
            names = offered(*words, "", PATH=programs_that_mark(tmp_path, mark), **environment)
        assert names == ["host", "outside"]
        assert not mark.exists()

    @pytest.mark.parametrize("needs", ["", "token: x", EXEC])
    def test_a_cluster_is_asked_where_nothing_has_to_be_started(
        self, needs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_Choices, "current", Choice())
        monkeypatch.setattr(completion, "SECONDS", 30.0)
        with api_server() as server:
            monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server, needs)))
            names = completion.sources("", None)
        assert names == (["host", "outside"] if needs == EXEC else ["default/client", "host", "outside"])

    def test_a_silent_cluster_is_not_waited_for(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            file = kubeconfig(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
            started = time.monotonic()
            assert offered("trace", "ho", KUBECONFIG=str(file)) == ["host"]
        assert time.monotonic() - started < 10  # of a busy machine; the API server's own limit is longer


def test_runs_of_which_something_is_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDOCTOR_STATE_DIR", str(tmp_path / "state"))
    assert offered("undo", "") == []
    journal = begin()
    assert offered("undo", "") == []
    journal.begin(journal.plan("enable-ip-forward", SetSysctl("net.ipv4.ip_forward", "1", "0")))
    assert offered("undo", journal.run[:4]) == [journal.run]
    assert offered("undo", "x") == []


def test_runs_that_cannot_be_read_are_not_offered(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    assert offered("undo", "", NETDOCTOR_STATE_DIR=str(tmp_path)) == []
