"""deploy and status on a command line that cannot work: one sentence, nothing written."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_cli import CLUSTERLESS, START, one_sentence
from tests.conftest import ROOT


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


@pytest.mark.parametrize("folder", ["k8s", "overlays/lab", "overlays/host-network"])
def test_a_dry_run_makes_no_keys(folder: str, checkout: Path) -> None:
    done = netdoctor("deploy", "--dry-run", "-k", folder, cwd=checkout)
    assert done.returncode == 0
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


def test_status_without_a_cluster_is_not_known(tmp_path: Path) -> None:
    done = netdoctor("status", cwd=tmp_path)
    assert done.returncode == 3
    assert "kubeconfig" in one_sentence(done)
