"""Manifests and answers with null and wrong types in any field: one sentence, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.gateways.gateway_objects import ModuleObjects, is_gateway
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.gateways.kustomization import Kustomization, parse
from netdoctor.facts.gateways.postgres_servers import PostgresServers
from netdoctor.facts.gateways.scope import Scope
from netdoctor.gateways import rollout
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.object_shapes import KINDS, Misshapen, shaped
from tests.conftest import ROOT

NOWHERE = CannotRead("API server", "not asked")
WRONG: tuple[Any, ...] = (None, [], {}, "x", 3, True, [None], {"a": None}, [[]], -1.5, "")


@cache
def manifests() -> tuple[dict[str, Any], ...]:
    """One module, Postgres and their Services, of this repository."""
    import yaml

    texts = [path.read_text() for path in sorted(Path(ROOT, "k8s").glob("**/*.yaml"))]
    found = [d for text in texts for d in yaml.safe_load_all(text) if isinstance(d, dict)]
    wanted = ("litellm-llm", "postgres")
    return tuple(d for d in found if (d.get("metadata") or {}).get("name") in wanted and d["kind"] in KINDS)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within."""
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*path, key))


def with_wrong(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    changed = copy.copy(value)
    changed[path[0]] = with_wrong(value[path[0]], path[1:], wrong)
    return changed


def everything_made_of(objects: tuple[Mapping[str, Any], ...]) -> None:
    """What gate and deploy make of manifests, without a cluster."""
    known = ModuleObjects.collect(NOWHERE, Kustomization("k8s", objects))
    modules = Modules.collect(known, NOWHERE)
    PostgresServers.collect(Services((), ""), NOWHERE, known, modules, Scope(True))


@pytest.mark.parametrize(
    "spec",
    [
        "null", "{}", "{template: null}", "{template: {spec: null}}", "{template: {spec: {containers: null}}}",
        "{template: {spec: {containers: [null]}}}", "{template: {metadata: null}}",
        "{template: {spec: {containers: [{name: a, env: [null]}]}}}",
    ],
)  # fmt: skip
def test_a_deployment_that_says_little(spec: str) -> None:
    objects = parse(f"kind: Deployment\nmetadata: {{name: litellm-llm, labels: null}}\nspec: {spec}\n", "k8s")
    assert is_gateway(objects[0])
    everything_made_of(objects)


@pytest.mark.parametrize("spec", ["[]", "3", "{template: []}", "{template: {spec: {containers: {}}}}",
                                  "{template: {spec: {containers: [{name: a, env: [3]}]}}}"])  # fmt: skip
def test_a_deployment_that_is_none(spec: str) -> None:
    with pytest.raises(BadInput, match=r"Deployment litellm-llm: spec.* is not a"):
        parse(f"kind: Deployment\nmetadata: {{name: litellm-llm}}\nspec: {spec}\n", "k8s")


@pytest.mark.parametrize("text", ["kind: 3\nmetadata: {name: a}", "kind: [a]\nmetadata: {name: a}",
                                  "kind: Deployment\nmetadata: {}", "kind: Deployment\nmetadata: {name: null}",
                                  "kind: Deployment\nmetadata: {name: [a]}",
                                  "kind: List\nmetadata: {name: a}\nitems: 3",
                                  "kind: Service\nmetadata: {name: a, namespace: 1}", "? [a]\n: b", "- a"])  # fmt: skip
def test_objects_that_are_none(text: str) -> None:
    with pytest.raises(BadInput):
        parse(text, "k8s")


def test_wrong_values_anywhere_in_manifests() -> None:
    refused = 0
    for number, document in enumerate(manifests()):
        others = tuple(o for n, o in enumerate(manifests()) if n != number)
        for place, path in enumerate(list(places(document))[1 + number % 2 :: 2]):
            changed = with_wrong(document, path, WRONG[(place + number) % len(WRONG)])
            try:
                everything_made_of((*parse(json.dumps(changed), "k8s"), *others))
            except (BadInput, CannotRead):
                refused += 1
    assert refused > 50


POD = {
    "metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"},
                 "ownerReferences": [{"kind": "ReplicaSet", "name": "r"}]},
    "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
    "status": {
        "phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "c", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    },
}  # fmt: skip


class Answers(KubeApi):
    """Answers every list with one item, as a server would send it."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.server, self.version, self._item = "https://x", "", item

    def _send(self, method: str, path: str, query: Any, body: Any = None) -> bytes:
        kind = {"pods": "PodList", "deployments": "DeploymentList", "replicasets": "ReplicaSetList"}
        return json.dumps({"kind": kind.get(path.rpartition("/")[2], "PodList"), "items": [self._item]}).encode()


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_values_anywhere_in_a_pod(wrong: Any) -> None:
    read = 0
    for path in list(places(POD))[1:]:
        api = Answers(with_wrong(POD, path, wrong))
        with suppress(CannotRead):
            (pod, *_) = api.get("/api/v1/pods")["items"]
            rollout.failures_of(api, "n", ("deployment/d",))
            read += 1
            assert pod["metadata"]["name"]
    assert read or wrong == [[]]


def test_null_is_as_if_it_were_not_there() -> None:
    service = {"kind": "Service", "metadata": {"name": "s", "labels": None}, "spec": {"ports": [None, {"port": 1}]}}
    assert shaped(service) == {"kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}}
    assert shaped({"kind": "PodList", "items": None}) == {"kind": "PodList", "items": []}
    assert shaped({"kind": "Pod", "metadata": {"name": "p"}})["spec"] == {}
    with pytest.raises(Misshapen, match=r"Pod p: spec: containers\[0\]: env is not a list"):
        shaped({"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "env": {}}]}})


def test_what_kubernetes_knows_beyond_stays_as_it_is() -> None:
    for document in manifests():
        assert shaped(document) == document
