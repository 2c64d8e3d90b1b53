"""The commands on a machine that is not a node, and has no cluster to ask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_cli import KUBECONFIGS, START, netdoctor
from tests.reports import causes, outcomes
from tests.schemas import valid

pytestmark = pytest.mark.thorough


@pytest.mark.skipif(Path("/var/lib/kubelet").exists(), reason="this machine is a Kubernetes node")
class TestWithoutACluster:
    def test_it_could_not_tell(self) -> None:
        done = netdoctor("check", "--output", "json")
        assert "no answer within" not in done.stdout, "nothing is waited for where there is nobody to ask"
        report = valid("report", done.stdout)
        assert done.returncode == 3, causes(report)
        _, reason = outcomes(report)["api-server-unreachable"]
        assert reason == "kubeconfig: none that can be read: /nonexistent"

    @pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
    def test_nor_as_nobody(self) -> None:
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        if subprocess.run([*nobody, *START, "--version"], check=False, capture_output=True, timeout=30).returncode:
            pytest.skip("nobody may not read this Python")
        done = netdoctor("check", "--output", "json", before=nobody)
        assert "no answer within" not in done.stdout
        assert done.returncode == 3
        assert any("not root" in notice for notice in json.loads(done.stdout)["notices"])

    def test_the_gate_is_not_verified(self, tmp_path: Path) -> None:
        done = netdoctor("gate", "--output", "json", cwd=tmp_path)  # without manifests
        assert (done.returncode, valid("gate", done.stdout)["verdict"]) == (3, "not verified")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may repair")
    def test_nothing_to_repair_is_said_once_and_leaves_no_folder(self, tmp_path: Path) -> None:
        done = netdoctor("fix", environment={"NETDOCTOR_STATE_DIR": str(tmp_path / "state")})
        assert (done.returncode, done.stderr) == (3, "")
        assert done.stdout.splitlines() == [
            "CANNOT CHECK  this is not a Kubernetes node, or not one that netdoctor can read",
            "  kubeconfig  none that can be read: /nonexistent", "  kubelet     none has run here", "",
            "elsewhere: run it on the node, or name a cluster: --kubeconfig FILE",
        ]  # fmt: skip
        assert not (tmp_path / "state").exists()

    def test_a_recording_of_it_is_judged_the_same(self, tmp_path: Path) -> None:
        file = tmp_path / "facts.json"
        done = netdoctor("record", file)
        assert done.returncode == 0
        assert done.stderr.startswith("WARNING  the recording tells little: this is not a Kubernetes node, ")
        here, there = netdoctor("check", "--output", "json"), netdoctor("check", "--output", "json", "--facts", file)
        assert there.returncode == here.returncode
        told = [outcomes(json.loads(done.stdout)) for done in (here, there)]
        words = [{name: outcome for name, (outcome, _) in each.items()} for each in told]
        assert words[0] == words[1]

    @pytest.mark.parametrize("kind", ["junk", "certificates"])
    def test_a_broken_kubeconfig(self, kind: str, tmp_path: Path) -> None:
        file = tmp_path / "kubeconfig"
        file.write_text(KUBECONFIGS[kind])
        done = netdoctor("check", "--output", "json", environment={"KUBECONFIG": str(file)})
        assert done.returncode == 3, done.stdout
        _, reason = outcomes(json.loads(done.stdout))["api-server-unreachable"]
        assert reason.startswith(f"kubeconfig {file}: it cannot be used: ")

    def test_a_bad_database_url_is_named_and_not_repeated(self) -> None:
        done = netdoctor("check", "--output", "json", environment={"NETDOCTOR_DATABASE_URL": "mysql://u:canary@h/d"})
        assert done.returncode == 3
        assert "canary" not in done.stdout + done.stderr
