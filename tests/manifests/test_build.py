"""k8s/ and its overlays, built by kustomize."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.manifests.build import built, config_names, pod_specs
from tests.manifests.sources import (
    FOLDERS,
    NAMESPACE,
    WORKLOADS,
    environment,
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_builds_it_without_a_word(folder: str, checkout: Path) -> None:
    found = list(yaml.safe_load_all(built(checkout / folder)))
    assert {o["metadata"].get("namespace", NAMESPACE) for o in found} == {NAMESPACE}
    assert {o["metadata"]["name"] for o in found if o["kind"] in ("Deployment", "StatefulSet")} == set(WORKLOADS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_a_pod_reads_is_built_with_it(folder: str, checkout: Path) -> None:
    text = built(checkout / folder)
    there = {o["metadata"]["name"] for o in yaml.safe_load_all(text) if o["kind"] in ("ConfigMap", "Secret")}
    assert set(" ".join(config_names(text).values()).split()) == there


@pytest.mark.thorough
def test_a_change_rolls_the_pods_that_it_concerns(checkout: Path) -> None:
    before = config_names(built(checkout / "overlays/lab"))
    file = checkout / "k8s/litellm-audio-configmap.yaml"
    file.write_text(file.read_text().replace("whisper-large", "whisper-huge"))
    after = config_names(built(checkout / "overlays/lab"))
    assert {name for name in before if before[name] != after[name]} == {"litellm-audio"}
    keys = checkout / "k8s/.env"
    keys.write_text(keys.read_text().replace("LLM_MASTER_KEY=nobodys", "LLM_MASTER_KEY=somebodys"))
    rolled = config_names(built(checkout / "overlays/lab"))
    assert {name for name in after if after[name] != rolled[name]} == set(WORKLOADS)


def test_the_host_network_overlay_gives_each_gateway_a_port(checkout: Path) -> None:
    ports = {}
    for o, spec in pod_specs(built(checkout / "overlays/host-network")):
        name = o["metadata"]["name"]
        assert spec.get("hostNetwork", False) == name.startswith("litellm-")
        if name.startswith("litellm-"):
            assert spec["dnsPolicy"] == "ClusterFirstWithHostNet"
            assert o["spec"]["replicas"] == 1
            assert o["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
            main = spec["containers"][0]
            ports[name] = main["ports"][0]["containerPort"]
            assert main["args"][-2:] == ["--port", str(ports[name])]
    assert sorted(ports.values()) == [4100, 4200, 4300, 4400, 4500]  # 4000 taken: LiteLLM would pick one at random


def test_the_host_network_overlay_has_no_policy_that_would_not_hold(checkout: Path) -> None:
    found = {
        o["metadata"]["name"]: o["spec"]
        for o in yaml.safe_load_all(built(checkout / "overlays/host-network"))
        if o["kind"] == "NetworkPolicy"
    }
    assert found.keys() == {"postgres", "prometheus"}
    assert "from" not in found["postgres"]["ingress"][0]


def test_the_lab_overlay_takes_the_labs_images_and_no_database(checkout: Path) -> None:
    text = built(checkout / "overlays/lab")
    for o, spec in pod_specs(text):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["image"].startswith("lab.local/")
        if o["metadata"]["name"].startswith("litellm-"):
            assert not [name for name in environment(spec["containers"][0]) if name.startswith("DATABASE_")]
            assert spec["initContainers"][0]["name"] == "wait-for-postgres"
            assert spec["containers"][0]["readinessProbe"]["periodSeconds"] == 1
    (volume,) = [o for o in yaml.safe_load_all(text) if o["kind"] == "PersistentVolume"]
    assert volume["spec"]["claimRef"] == {"namespace": NAMESPACE, "name": "data-postgres-0"}
