"""The files of k8s/ as they are written, and what the hand-over note asks of them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

Object = dict[str, Any]

K8S, LINT = ROOT / "k8s", ROOT / "scripts/lint-manifests"
FOLDERS = ("k8s", "overlays/lab", "overlays/host-network")
NAMESPACE = "litellm"
# the hand-over note's table: NodePort, replicas, mode, models
MODULES: dict[str, tuple[int, int, str, list[str]]] = {
    "llm": (30100, 2, "chat", ["gpt-4.1", "deepseek", "qwen", "llama", "gpt-oss"]),
    "vision": (30200, 1, "chat", ["gpt-4-vision", "llava", "bakllava", "vision-general"]),
    "audio": (30300, 1, "audio_transcription", ["whisper", "whisper-large", "speech-to-text"]),
    "image-gen": (30400, 1, "image_generation", ["dall-e-3", "stable-diffusion", "image-gen"]),
    "embeddings": (30500, 1, "embedding", ["text-embedding-ada-002", "nomic-embed-text", "all-minilm"]),
}
WORKLOADS = [*(f"litellm-{module}" for module in MODULES), "postgres", "prometheus"]
MINUTES_TO_MIGRATE = 5
POSTGRES_SLOTS, RESERVED = 200, 3


def variable(module: str) -> str:
    return module.upper().replace("-", "_")


def documents(path: Path) -> list[Object]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@functools.cache
def sources() -> dict[str, list[Object]]:
    return {path.name: documents(path) for path in sorted(K8S.glob("*.yaml"))}


def objects(kind: str) -> list[Object]:
    return [o for found in sources().values() for o in found if o["kind"] == kind]


def one(kind: str, name: str) -> Object:
    (found,) = [o for o in objects(kind) if o["metadata"]["name"] == name]
    return found


def workload(name: str) -> Object:
    return one("StatefulSet" if name == "postgres" else "Deployment", name)


def pod(name: str) -> Object:
    spec: Object = workload(name)["spec"]["template"]["spec"]
    return spec


def containers(name: str) -> list[Object]:
    return [*pod(name).get("initContainers", []), *pod(name)["containers"]]


def environment(container: Object) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in container.get("env", [])}


def labels_of(name: str) -> dict[str, str]:
    app = "litellm" if name.startswith("litellm-") else name
    found = {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "litellm-modules"}
    return found | ({"app.kubernetes.io/component": name.removeprefix("litellm-")} if app == "litellm" else {})


def secret_keys() -> set[tuple[str, str]]:
    """Name and key of every Secret that a pod reads."""
    found = set()
    for name in WORKLOADS:
        for container in containers(name):
            for value in environment(container).values():
                if isinstance(value, dict):
                    found.add((value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]))
        for volume in pod(name).get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                found.add((volume["secret"]["secretName"], item["key"]))
    return found


def config(module: str) -> Object:
    loaded: Object = yaml.safe_load(one("ConfigMap", f"litellm-{module}")["data"]["config.yaml"])
    return loaded


def assert_dns(rule: Object) -> None:
    assert {(p["protocol"], p["port"]) for p in rule["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    } in rule["to"]
