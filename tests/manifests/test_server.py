"""What the API server and the linters say of the built manifests."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import LAB, Lab
from tests.manifests.build import as_pods, built
from tests.manifests.sources import (
    FOLDERS,
    LINT,
    MODULES,
    NAMESPACE,
    WORKLOADS,
)


@pytest.fixture(scope="module")
def server(lab: Lab) -> Lab:
    """A node with the modules' namespace, which Pod Security restricts."""
    lab.reset()
    lab.must(f"kubectl create namespace {NAMESPACE}")
    for mode in ("enforce", "warn"):
        lab.must(f"kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/{mode}=restricted")
    lab.must(
        f"for i in $(seq 100); do kubectl -n {NAMESPACE} get serviceaccount default && exit; sleep 0.1; done; exit 1"
    )
    return lab


def ask(server: Lab, text: str, *verb: str) -> subprocess.CompletedProcess[str]:
    argv = [str(LAB), "kubectl", "--name", server.name, *verb, "--dry-run=server", "-f", "-"]
    return subprocess.run(argv, input=text, check=False, capture_output=True, text=True, timeout=60)


def apply(server: Lab, text: str, verb: str) -> subprocess.CompletedProcess[str]:
    argv = [str(LAB), "kubectl", "--name", server.name, verb, "--server-side", "-f", "-"]
    return subprocess.run(argv, input=text, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.lab
class TestOnTheServer:
    @pytest.mark.parametrize("folder", FOLDERS)
    def test_it_takes_every_object(self, server: Lab, checkout: Path, folder: str) -> None:
        text = built(checkout / folder)
        answer = ask(server, text, "apply", "--server-side")
        assert answer.returncode == 0, answer.stderr
        assert len(answer.stdout.splitlines()) == len(list(yaml.safe_load_all(text)))
        assert ("would violate PodSecurity" in answer.stderr) == (folder == "overlays/host-network")

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_the_same_again_is_no_difference(self, server: Lab, checkout: Path, folder: str) -> None:
        text = built(checkout / folder)
        server.must(f"kubectl -n {NAMESPACE} delete networkpolicies,services --all")
        assert apply(server, text, "apply").returncode == 0
        # controllers write into the status for as long as pods start and end, between diff's two looks
        end = time.monotonic() + 60
        while (again := apply(server, text, "diff")).returncode and time.monotonic() < end:
            time.sleep(1)
        assert (again.returncode, again.stdout) == (0, "")

    def test_it_refuses_a_field_that_does_not_exist(self, server: Lab, checkout: Path) -> None:
        text = built(checkout / "k8s").replace("  replicas: 2", "  replicaz: 2")
        answer = ask(server, text, "apply", "--server-side")
        assert answer.returncode
        assert "replicaz" in answer.stderr

    @pytest.mark.parametrize("folder", ["k8s", "overlays/lab"])
    def test_restricted_pod_security_admits_every_pod(self, server: Lab, checkout: Path, folder: str) -> None:
        answer = ask(server, as_pods(built(checkout / folder)), "create")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert len(answer.stdout.splitlines()) == len(WORKLOADS)

    def test_restricted_pod_security_refuses_the_nodes_network(self, server: Lab, checkout: Path) -> None:
        answer = ask(server, as_pods(built(checkout / "overlays/host-network")), "create")
        assert answer.stderr.count("hostNetwork=true") == len(MODULES)

    @pytest.mark.timeout(1200)  # the first run on a machine installs both linters
    def test_the_linters_find_nothing(self, server: Lab) -> None:
        done = subprocess.run(
            [str(LINT), "--lab", server.name], check=False, capture_output=True, text=True, timeout=1000
        )
        assert done.returncode == 0, done.stdout + done.stderr
        counts = re.findall(r"kubeconform (\d+) valid, checkov (\d+) passed", done.stdout)
        assert len(counts) == len(FOLDERS)
        assert all(int(valid) > 20 and int(passed) > 500 for valid, passed in counts)

    def test_the_linters_find_what_is_wrong(self, server: Lab, checkout: Path) -> None:
        file = checkout / "k8s/litellm-vision-deployment.yaml"
        text = file.read_text().replace("revisionHistoryLimit", "revisionHistoryLimits")
        file.write_text(text.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"))
        done = subprocess.run(
            [str(LINT), "--lab", server.name, "--root", str(checkout)],
            check=False, capture_output=True, text=True, timeout=1000,
        )  # fmt: skip
        assert done.returncode == 1
        assert re.search(r"kubeconform: Deployment/litellm-vision: .*revisionHistoryLimits", done.stdout)
        assert re.search(r"checkov: CKV_K8S_20 .*litellm-vision", done.stdout)
