"""k8s/: twenty-two files, their names, their labels, and no key in any of them."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from netdoctor.facts.gateways import env_file
from tests.conftest import ROOT
from tests.manifests.sources import (
    K8S,
    MODULES,
    NAMESPACE,
    WORKLOADS,
    containers,
    environment,
    labels_of,
    objects,
    secret_keys,
    sources,
    workload,
)


def test_twenty_two_files_named_as_in_the_note() -> None:
    parts = ("configmap", "deployment", "service")
    wanted = {f"litellm-{module}-{part}.yaml" for module in MODULES for part in parts}
    wanted |= {f"postgres-{part}.yaml" for part in ("configmap", "statefulset", "service")}
    wanted |= {f"prometheus-{part}.yaml" for part in parts}
    assert set(sources()) == wanted | {"kustomization.yaml"}
    assert len(sources()) == 22
    (kustomization,) = sources()["kustomization.yaml"]
    assert sorted(kustomization["resources"]) == sorted(wanted)
    assert kustomization["namespace"] == NAMESPACE


def test_each_file_holds_what_its_name_says() -> None:
    for name, found in sources().items():
        if name != "kustomization.yaml":
            module, _, part = name.removesuffix(".yaml").rpartition("-")
            assert found[0]["kind"].lower() == part
            assert found[0]["metadata"]["name"] == ("postgres-init" if name == "postgres-configmap.yaml" else module)


def test_every_object_has_its_labels_and_no_namespace_of_its_own() -> None:
    for name, found in sources().items():
        for o in found:
            if o["kind"] != "Kustomization":
                assert o["metadata"]["labels"] == labels_of(name.rpartition("-")[0]), name
                assert "namespace" not in o["metadata"], name
    for name in WORKLOADS:
        spec = workload(name)["spec"]
        assert spec["template"]["metadata"]["labels"] == labels_of(name)
        assert spec["selector"]["matchLabels"].items() <= labels_of(name).items()


# keys


def test_git_ignores_the_keys() -> None:
    ignored = subprocess.run(["git", "check-ignore", "-q", "k8s/.env"], cwd=ROOT, check=False, timeout=10)
    if ignored.returncode == 128:
        pytest.skip("this is no checkout of git")
    assert ignored.returncode == 0
    listed = subprocess.run(
        ["git", "ls-files", "k8s", "overlays"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=10
    ).stdout.split()
    assert "k8s/.env.example" in listed
    assert not [name for name in listed if name.endswith(".env")]


def test_the_example_names_every_key_in_use_and_holds_none(checkout: Path) -> None:
    (checkout / "k8s/.env").unlink()
    (example,) = env_file.find(str(checkout / "overlays/lab"))
    assert not example.exists
    assert {("litellm-secrets", key) for key in example.values} == secret_keys()
    assert {key: value for key, value in example.values.items() if value} == {
        "PROVIDER_BASE": "https://api.openai.com/v1"
    }
    assert set(example.to_make) == set(example.values) - {"PROVIDER_BASE", "PROVIDER_KEY"}
    assert example.to_ask == ("PROVIDER_KEY",)


def test_every_key_of_the_example_has_its_words() -> None:
    lines = (K8S / ".env.example").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if "=" in line and not line.startswith("#"):
            assert before.startswith("# "), line


def test_no_manifest_holds_a_key() -> None:
    for path in [*K8S.rglob("*.yaml"), *(ROOT / "overlays").rglob("*.yaml")]:
        assert not re.search(r"sk-[a-z0-9]", path.read_text()), path
    for name in WORKLOADS:
        for container in containers(name):
            for key, value in environment(container).items():
                assert isinstance(value, dict) == (re.search(r"KEY|PASSWORD|PROVIDER", key) is not None), key


def test_the_keys_come_from_one_generated_secret_with_a_hash_in_its_name() -> None:
    (kustomization,) = sources()["kustomization.yaml"]
    (generator,) = kustomization["secretGenerator"]
    assert (generator["name"], generator["envs"]) == ("litellm-secrets", [".env"])
    assert not generator["options"].get("disableNameSuffixHash")
    assert "generatorOptions" not in kustomization
    assert not objects("Secret")
