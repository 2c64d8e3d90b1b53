"""docs/examples: the gate as a Job and as a workflow's step, both tried on a real node."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Lab

JOB, WORKFLOW = ROOT / "docs/examples/gate-job.yaml", ROOT / "docs/examples/gate.yaml"
IMAGE, LAB_IMAGE = "docker.io/library/postgres:15.18", "docker.io/library/postgres:15"
CLOSE = (
    "kubectl scale deployment postgres --replicas=0",
    "kubectl wait --for=delete pod -l app=postgres --timeout=30s",
)
OPEN = (
    "kubectl scale deployment postgres --replicas=1",
    "kubectl rollout status deployment postgres --timeout=60s",
)
# what GitHub's runner makes of `shell: bash`
BASH = "bash --noprofile --norc -eo pipefail /tmp/step.sh"


def cron_job() -> Any:
    return yaml.safe_load(JOB.read_text())


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]
    return found


def test_the_job_fails_with_the_gate_and_is_not_tried_again() -> None:
    spec = cron_job()["spec"]["jobTemplate"]["spec"]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == IMAGE
    assert IMAGE in (ROOT / "k8s/postgres-statefulset.yaml").read_text(), "the node has another image of Postgres"


def test_the_workflow_keeps_the_verdict_whatever_it_is() -> None:
    asked, kept = steps()
    assert asked["shell"] == "bash"  # with pipefail: or tee would hide a closed gate
    assert kept["if"] == "always()"
    assert kept["with"]["path"] in asked["run"]


def test_sudo_allows_the_step_and_nothing_else() -> None:
    (line,) = (line for line in WORKFLOW.read_text().splitlines() if "NOPASSWD:" in line)
    allowed = line.partition("NOPASSWD: ")[2].split()
    program, *arguments = steps()[0]["run"].removeprefix("sudo ").partition(" | ")[0].split()
    assert allowed == [f"/usr/local/bin/{program}", *arguments]
    assert not set("*?[]!") & set(line.partition("NOPASSWD:")[2])
    assert "--kubeconfig" in arguments  # not the one of whoever calls


@pytest.fixture(scope="module")
def node(lab: Lab) -> Lab:
    lab.reset()
    text = JOB.read_text().replace(IMAGE, LAB_IMAGE)
    lab.must(f"cat > /tmp/gate-job.yaml <<'END'\n{text}END\nkubectl apply --server-side -f /tmp/gate-job.yaml")
    return lab


def run_job(lab: Lab, name: str) -> tuple[str, dict[str, Any]]:
    """How the Job ended, and the verdict in its log."""
    lab.must(f"kubectl -n kube-system create job {name} --from=cronjob/netdoctor-gate")
    end = time.monotonic() + 120
    while time.monotonic() < end:
        status = json.loads(lab.must(f"kubectl -n kube-system get job {name} -o json")).get("status", {})
        ended = [c["type"] for c in status.get("conditions", ()) if c["status"] == "True"]
        if {"Complete", "Failed"} & set(ended):
            gate: dict[str, Any] = json.loads(lab.must(f"kubectl -n kube-system logs job/{name}"))
            return "Complete" if "Complete" in ended else "Failed", gate
        time.sleep(0.5)
    raise AssertionError(lab.must(f"kubectl -n kube-system describe job,pod -l job-name={name}"))


def status_of(lab: Lab, name: str) -> int:
    pods = json.loads(lab.must(f"kubectl -n kube-system get pods -l job-name={name} -o json"))["items"]
    code: int = pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
    return code


def run_step(lab: Lab) -> tuple[int, dict[str, Any]]:
    """The workflow's step as the runner runs it, and what it keeps."""
    shim = 'command -v sudo >/dev/null || sudo() { "$@"; }'
    lab.must(f"mkdir -p /tmp/work && cat > /tmp/step.sh <<'END'\n{shim}\n{steps()[0]['run']}\nEND")
    done = lab.exec(f"cd /tmp/work && {BASH}")
    gate: dict[str, Any] = json.loads(lab.must("cat /tmp/work/gate.json"))
    assert json.loads(done.stdout) == gate
    return done.returncode, gate


@pytest.mark.lab
def test_an_open_gate(node: Lab) -> None:
    ended, gate = run_job(node, "gate-open")
    assert (ended, gate["verdict"]) == ("Complete", "open"), gate
    assert status_of(node, "gate-open") == 0
    status, gate = run_step(node)
    assert (status, gate["verdict"]) == (0, "open")


@pytest.mark.lab
def test_a_closed_gate(node: Lab) -> None:
    for line in CLOSE:
        node.must(line)
    try:
        ended, gate = run_job(node, "gate-closed")
        assert (ended, gate["verdict"]) == ("Failed", "closed"), gate
        assert [cause["probe"] for cause in gate["causes"]] == ["postgres-without-endpoints"]
        assert status_of(node, "gate-closed") == 1
        status, gate = run_step(node)
        assert (status, gate["verdict"]) == (1, "closed")
    finally:
        for line in OPEN:
            node.must(line)
