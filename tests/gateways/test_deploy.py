"""Deployments that go wrong on a real node: the one cause named, and rolled back; and those that change nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Lab

PLACE = "/opt/modules"
PROVIDER = "PROVIDER_BASE=http://example.com:8080/v1\\nPROVIDER_KEY=canary-provider-7d20\\n"


@dataclass
class Broken:
    """A change of the deployment that cannot work, and what has to be said of it."""

    name: str
    says: str
    kustomization: str
    closes_gate: bool = False


def patch(*operations: str) -> str:
    """A kustomization over the lab's with JSON patches of audio's Deployment."""
    lines = "\n".join(f"      - {operation}" for operation in operations)
    return f"patches:\n  - target: {{kind: Deployment, name: litellm-audio}}\n    patch: |-\n{lines}\n"


def merge(pod: str) -> str:
    """A kustomization over the lab's that merges this into audio's pod."""
    lines = ("apiVersion: apps/v1", "kind: Deployment", "metadata: {name: litellm-audio}",
             f"spec: {{template: {{spec: {{{pod}}}}}}}")  # fmt: skip
    return "patches:\n  - patch: |-\n" + "".join(f"      {line}\n" for line in lines)


MAIN = "/spec/template/spec/containers/0"
CASES = [
    Broken("an image that there is not", "the image lab.local/litellm:0.0.0 cannot be pulled",
           patch(f"{{op: replace, path: {MAIN}/image, value: lab.local/litellm:0.0.0}}"), closes_gate=True),
    Broken("too little memory", "was killed: out of memory (OOMKilled)",
           patch(f"{{op: replace, path: {MAIN}/resources/limits/memory, value: 96Mi}}",
                 f"{{op: replace, path: {MAIN}/resources/requests/memory, value: 96Mi}}")),
    Broken("a probe's path that is wrong", "gets 404: nothing answers at that path",
           patch(f"{{op: replace, path: {MAIN}/startupProbe/httpGet/path, value: /healthy}}")),
    Broken("a database that does not exist", "the database nowhere does not exist in Postgres",
           merge("initContainers: [{name: wait-for-postgres, env: [{name: PGDATABASE, value: nowhere}]}]"),
           closes_gate=True),
    Broken("a key that everybody knows", "refuses its well-known default key",
           merge("containers: [{name: litellm, env: [{name: LITELLM_MASTER_KEY, value: sk-1234, valueFrom: null}]}]")),
]  # fmt: skip


COLUMNS = "custom-columns=N:.metadata.name,G:.metadata.generation"
VERSIONS = f"kubectl -n litellm get deploy,svc,cm,secret,netpol,pdb,sts -o {COLUMNS}"


class Node:
    """A node on which the modules are deployed."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.written = lab, ""

    def deploy(self, *options: str, folder: str = "overlays/lab") -> tuple[int, str]:
        done = self.lab.exec(f"cd {PLACE} && netdoctor deploy -k {folder} {' '.join(options)}", 300)
        assert "Traceback" not in done.stderr, done.stderr
        self.written += done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    def names(self, what: str) -> set[str]:
        done = self.lab.must(f"kubectl -n litellm get {what} -l app.kubernetes.io/part-of=litellm-modules -o json")
        return {item["metadata"]["name"] for item in json.loads(done)["items"]}

    def template(self, deployment: str) -> Any:
        return json.loads(self.lab.must(f"kubectl -n litellm get deployment {deployment} -o json"))["spec"]["template"]


@pytest.fixture(scope="module")
def node(lab: Lab) -> Node:
    lab.reset(modules=True)
    lab.must(f"printf '{PROVIDER}' > {PLACE}/k8s/.env")
    node = Node(lab)
    status, said = node.deploy()
    assert status == 0, said
    lab.must(f"mkdir -p {PLACE}/overlays/broken")
    return node


@pytest.mark.lab
class TestDeploy:
    def test_a_second_one_changes_nothing(self, node: Node) -> None:
        before = {name: node.template(name) for name in ("litellm-llm", "litellm-audio", "prometheus")}
        versions = node.lab.must(VERSIONS)
        status, said = node.deploy()
        assert status == 0, said
        assert "apply: nothing changes" in said
        assert before == {name: node.template(name) for name in before}
        assert versions == node.lab.must(VERSIONS)

    @pytest.mark.parametrize("broken", CASES, ids=lambda c: c.name)
    def test_what_cannot_work_is_named_and_rolled_back(self, node: Node, broken: Broken) -> None:
        lab, before = node.lab, node.template("litellm-audio")
        text = f"namespace: litellm\nresources: [../lab]\n{broken.kustomization}"
        done = lab.exec(["sh", "-c", f"printf '%s' '{text}' > {PLACE}/overlays/broken/kustomization.yaml"])
        assert done.returncode == 0
        if broken.closes_gate:
            status, said = node.deploy(folder="overlays/broken")
            assert status == 1
            assert "nothing was deployed" in said
        force = ["--force"] if broken.closes_gate else []
        status, said = node.deploy("--timeout 60", "--roll-back", *force, folder="overlays/broken")
        assert status == 1, said
        assert broken.says in said
        assert said.count("CAUSE  ") == 1 + ("gate: CLOSED" in said)
        assert "✓ deployment/litellm-audio rolled back" in said
        assert node.template("litellm-audio")["spec"] == before["spec"]
        canary = "canary-provider-7d20"
        assert canary not in node.written

    def test_after_all_that_nothing_is_to_be_changed(self, node: Node) -> None:
        status, said = node.deploy()
        assert status == 0, said
        assert "apply: nothing changes" in said

    def test_a_dry_run_shows_the_diff_and_changes_nothing(self, node: Node) -> None:
        lab = node.lab
        other = patch(f"{{op: replace, path: {MAIN}/resources/limits/memory, value: 1535Mi}}")
        text = f"namespace: litellm\nresources: [../lab]\n{other}"
        lab.must(["sh", "-c", f"printf '%s' '{text}' > {PLACE}/overlays/broken/kustomization.yaml"])
        before = node.template("litellm-audio")
        status, said = node.deploy("--dry-run", folder="overlays/broken")
        assert status == 0, said
        assert "+            memory: 1535Mi" in said
        assert "would change: Deployment/litellm-audio" in said
        assert node.template("litellm-audio") == before

    def test_what_somebody_else_changed_is_told(self, node: Node) -> None:
        node.lab.must("kubectl -n litellm set image deployment/litellm-audio litellm=lab.local/litellm:other")
        try:
            status, said = node.deploy()
            assert status == 3, said
            assert "changed the same fields before" in said
            assert "--force-conflicts" in said
        finally:
            status, said = node.deploy("--force-conflicts")
        assert status == 0, said

    def test_a_changed_config_rolls_its_module_and_the_old_one_goes_when_nothing_can_go_back_to_it(
        self, node: Node
    ) -> None:
        lab, old = node.lab, node.names("configmaps")
        lab.must(
            f"sed -i 's/general_settings:/general_settings:\\n      # rolled/' {PLACE}/k8s/litellm-audio-configmap.yaml"
        )
        status, said = node.deploy()
        assert status == 0, said
        assert "ConfigMap/litellm-audio-" in said
        assert "Deployment/litellm-audio" in said
        assert "litellm-llm" not in said.partition("apply:")[2].partition("\n")[0]
        now = node.names("configmaps")
        assert old < now  # a roll back would need the old one
        old_ones = "-l app.kubernetes.io/component=audio -o jsonpath='{.items[?(@.spec.replicas==0)].metadata.name}'"
        lab.must(f"kubectl -n litellm delete replicaset $(kubectl -n litellm get replicaset {old_ones})")
        pods = "kubectl -n litellm get pods -l app.kubernetes.io/component=audio --no-headers"
        lab.must(
            f"for i in $(seq 60); do test $({pods} | wc -l) = 1 && exit; sleep 0.5; done; exit 1"
        )  # the old one goes
        status, said = node.deploy()
        assert status == 0, said
        assert "pruned (no longer referenced): ConfigMap/litellm-audio-" in said
        assert len(node.names("configmaps")) == len(old)
