"""When a rollout is done, judged from the API's objects; and what applying tells of itself."""

from __future__ import annotations

from typing import Any

import pytest

from netdoctor.errors import BadInput
from netdoctor.facts.gateways.kubectl import Answered
from netdoctor.facts.gateways.kustomization import parse
from netdoctor.gateways.apply import refusal, rolled, short
from netdoctor.gateways.rollout import Progress, failures_of, progress_of
from netdoctor.system.kube_api import KubeApi

DONE: dict[str, Any] = {
    "observedGeneration": 2,
    "replicas": 2,
    "updatedReplicas": 2,
    "readyReplicas": 2,
    "availableReplicas": 2,
}


def deployment(**status: Any) -> dict[str, Any]:
    meta = {"name": "litellm-llm", "generation": 2, "annotations": {"deployment.kubernetes.io/revision": "4"}}
    return {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 2}, "status": {**DONE, **status}}


def test_a_deployment_that_is_done() -> None:
    assert progress_of(deployment()) == Progress("deployment/litellm-llm", 2, 2, True, True, "4")


@pytest.mark.parametrize(
    "status", [{"observedGeneration": 1}, {"replicas": 3}, {"updatedReplicas": 1}, {"availableReplicas": 1}], ids=str
)
def test_a_deployment_that_is_not(status: dict[str, int]) -> None:
    assert not progress_of(deployment(**status)).done


def test_a_stateful_set_is_done_when_its_revisions_agree() -> None:
    item = {"kind": "StatefulSet", "metadata": {"name": "postgres", "generation": 1}, "spec": {"replicas": 1}}
    status = {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1, "updateRevision": "b"}
    assert not progress_of({**item, "status": {**status, "currentRevision": "a"}}).done
    assert progress_of({**item, "status": {**status, "currentRevision": "b"}}).done


def test_what_no_controller_has_seen() -> None:
    assert not progress_of(deployment(observedGeneration=1)).seen
    assert progress_of(deployment()).seen


def test_only_what_ran_something_else_before_can_go_back() -> None:
    before = [Progress("deployment/a", 1, 1, True, True, "1"), Progress("deployment/b", 1, 1, True, True, "3")]
    after = [Progress("deployment/a", 1, 0, False, True, "2"), Progress("deployment/b", 1, 1, True, True, "3"),
             Progress("deployment/new", 1, 0, False, True, "1")]  # fmt: skip
    assert rolled(before, after) == ("deployment/a",)


def test_the_names_in_a_diff() -> None:
    assert short("apps.v1.Deployment.litellm.litellm-llm") == "Deployment/litellm-llm"
    assert short("v1.ConfigMap.litellm.postgres-init-5f2c") == "ConfigMap/postgres-init-5f2c"
    assert short("networking.k8s.io.v1.NetworkPolicy.litellm.litellm") == "NetworkPolicy/litellm"


def test_a_conflict_says_with_whom_and_what_to_do() -> None:
    text = (
        'error: Apply failed with 1 conflict: conflict with "kubectl-scale": .spec.replicas\nPlease review the fields'
    )
    said = refusal(Answered(1, "", text))
    assert said.startswith("kubectl-scale changed the same fields")
    assert "--force-conflicts" in said


def test_what_kubectl_said_is_told_in_one_line() -> None:
    assert refusal(Answered(1, "", "warning: x\nerror: the server is busy\n")) == "the server is busy"
    assert refusal(Answered(3, "", "")) == "exit status 3"


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "kind: X\n", "\x00"])
def test_manifests_that_are_none(text: str) -> None:
    with pytest.raises(BadInput, match="manifests of k8s"):
        parse(text, "k8s")


class Cluster(KubeApi):
    """An API server that answers from a table."""

    def __init__(self, answers: dict[str, list[dict[str, Any]]]) -> None:
        self._answers = answers

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return {"items": self._answers.get(path.rpartition("/")[2], [])}


def owned(name: str, by: tuple[str, str], **more: Any) -> dict[str, Any]:
    owner = {"kind": by[0], "name": by[1], "controller": True}
    return {"metadata": {"name": name, "uid": name, "ownerReferences": [owner], **more.pop("meta", {})}, **more}


def test_only_pods_of_the_newest_revision_speak_and_none_that_was_evicted() -> None:
    revisions = {f"litellm-llm-{n}": {"annotations": {"deployment.kubernetes.io/revision": n}} for n in ("9", "10")}
    sets = [owned(name, ("Deployment", "litellm-llm"), meta=meta) for name, meta in revisions.items()]
    gone = {"status": {"phase": "Failed"}}
    pods = [owned("old", ("ReplicaSet", "litellm-llm-9")), owned("new", ("ReplicaSet", "litellm-llm-10")),
            owned("evicted", ("ReplicaSet", "litellm-llm-10"), **gone)]  # fmt: skip
    found = failures_of(Cluster({"pods": pods, "replicasets": sets}), "litellm", ("deployment/litellm-llm",))
    assert [f.pod for f in found] == ["new"]
