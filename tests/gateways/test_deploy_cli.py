"""deploy and status on a command line that cannot work: one sentence, nothing written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_cli import CLUSTERLESS, START, one_sentence
from tests.conftest import ROOT

pytestmark = pytest.mark.thorough

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the manifests, and no .env."""
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s", ignore=shutil.ignore_patterns(".env"))
    shutil.copytree(ROOT / "overlays", tmp_path / "overlays")
    return tmp_path


def netdoctor(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*START, *arguments], check=False, capture_output=True, text=True, timeout=30, cwd=cwd,
        env={**os.environ, **CLUSTERLESS, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


@pytest.mark.parametrize("arguments", [(), ("-k", ""), ("-k", "nowhere"), ("-k", "/"), ("--kustomization", "k8s\x01")])
def test_a_folder_that_has_no_manifests(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = netdoctor("deploy", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "use --kustomization" in one_sentence(done)


@pytest.mark.parametrize("arguments", [("--timeout", "0"), ("--timeout", "x"), ("surplus",), ("--nonsense",)])
def test_options_that_are_none(arguments: tuple[str, ...], checkout: Path) -> None:
    done = netdoctor("deploy", *arguments, cwd=checkout)
    assert done.returncode == 2
    one_sentence(done)
    assert not (checkout / "k8s/.env").exists()


@needs_kubectl
@pytest.mark.parametrize("folder", ["k8s", "overlays/lab", "overlays/host-network"])
def test_a_dry_run_makes_no_keys(folder: str, checkout: Path) -> None:
    done = netdoctor("deploy", "--dry-run", "-k", folder, cwd=checkout)
    assert done.returncode == 3, "there is no cluster"
    assert "keys: k8s/.env would get random values for" in done.stdout
    assert "LLM_MASTER_KEY" in done.stdout
    assert not (checkout / "k8s/.env").exists()


def test_a_kustomization_that_is_no_yaml(checkout: Path) -> None:
    (checkout / "k8s/kustomization.yaml").write_text("a: [")
    done = netdoctor("deploy", cwd=checkout)
    assert done.returncode == 2
    assert "k8s/kustomization.yaml is not YAML" in one_sentence(done)
    assert not (checkout / "k8s/.env").exists()


def test_an_env_file_that_cannot_be_written(checkout: Path) -> None:
    (checkout / "k8s/.env").mkdir()
    done = netdoctor("deploy", cwd=checkout)
    assert done.returncode == 2
    assert "k8s/.env cannot be read" in one_sentence(done)


NO_NODE = "CANNOT CHECK  this is not a Kubernetes node, or not one that netdoctor can read"
SERVER = """
current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: u, user: {}}]
"""


@needs_kubectl
def test_a_resource_that_is_missing_is_told_without_asking_a_cluster(checkout: Path) -> None:
    kustomization = checkout / "k8s/kustomization.yaml"
    kustomization.write_text(kustomization.read_text().replace("resources:", "resources:\n  - missing.yaml"))
    for command in (("deploy",), ("deploy", "--dry-run"), ("gate", "-k", "k8s")):
        done = netdoctor(*command, cwd=checkout)
        assert done.returncode == 2
        assert done.stderr.startswith("netdoctor: k8s cannot be built: accumulating resources")
        assert done.stderr.count("\n") == 1
        assert not (checkout / "k8s/.env").exists()


@needs_kubectl
def test_manifests_without_a_gateway_are_told_before_anything_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (folder / "a.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n")
    for command in ("deploy", "gate"):
        done = netdoctor(command, "-k", "other", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (2, "netdoctor: other has no workload of LiteLLM\n")


@needs_kubectl
@pytest.mark.parametrize("options", [(), ("--force",), ("--dry-run",), ("--output", "json")])
def test_without_a_cluster_no_keys_are_made(options: tuple[str, ...], checkout: Path) -> None:
    done = netdoctor("deploy", *options, cwd=checkout)
    assert done.returncode == 3
    said = done.stderr if "json" in options else done.stdout
    assert said.count(NO_NODE) == 1
    assert said.splitlines()[-1] == f"nothing was {'changed' if '--dry-run' in options else 'deployed'}"
    assert not (checkout / "k8s/.env").exists()
    if "json" in options:
        assert json.loads(done.stdout)["deployed"] is False


@needs_kubectl
def test_an_api_server_that_does_not_answer_gets_no_keys(checkout: Path) -> None:
    (checkout / "config").write_text(SERVER)
    done = netdoctor("deploy", "--kubeconfig", "config", cwd=checkout)
    assert done.returncode in (1, 3)
    assert done.stdout.splitlines()[-1] == "nothing was deployed"
    assert not (checkout / "k8s/.env").exists()


@needs_kubectl
def test_a_dry_run_with_keys_and_without_a_cluster_is_not_one_long_line(checkout: Path) -> None:
    shutil.copy(checkout / "k8s/.env.example", checkout / "k8s/.env")
    done = netdoctor("deploy", "--dry-run", cwd=checkout)
    assert (done.returncode, done.stderr) == (3, "")
    assert NO_NODE in done.stdout.splitlines()


def test_gate_without_a_cluster_is_not_verified(tmp_path: Path) -> None:
    done = netdoctor("gate", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (3, "")
    assert NO_NODE in done.stdout.splitlines()


def test_status_without_a_cluster_is_not_known(tmp_path: Path) -> None:
    done = netdoctor("status", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.splitlines()[0] == NO_NODE
    assert done.stdout.splitlines()[1].startswith("  kubeconfig  none that can be read: ")
    done = netdoctor("status", "--output", "json", cwd=tmp_path)
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"].startswith("kubeconfig: none that can be read")


def test_a_recording_without_a_cluster_is_told_in_few_lines(tmp_path: Path) -> None:
    done = netdoctor("record", "node.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(
        "WARNING  the recording tells little: this is not a Kubernetes node, or not one that netdoctor can read\n"
        "  kubeconfig  none that can be read: "
    )
