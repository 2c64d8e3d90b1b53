"""What kustomize makes of the manifests."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.manifests.sources import (
    NAMESPACE,
    Object,
)


def kubectl() -> str:
    found = shutil.which("kubectl")
    if not found:
        pytest.skip("no kubectl on PATH; the lab's tests build the manifests with theirs")
    return found


def built(folder: Path) -> str:
    done = subprocess.run(
        [kubectl(), "kustomize", str(folder)], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def pod_specs(text: str) -> Iterator[tuple[Object, Object]]:
    for o in yaml.safe_load_all(text):
        if o["kind"] in ("Deployment", "StatefulSet"):
            yield o, o["spec"]["template"]["spec"]


def config_names(text: str) -> dict[str, str]:
    """Each workload's ConfigMap and Secret, as its pod names them."""
    found = {}
    for o, spec in pod_specs(text):
        names = [v.get("configMap", {}).get("name") for v in spec.get("volumes", [])]
        secrets = set(re.findall(r"litellm-secrets[\w-]*", json.dumps(spec)))
        found[o["metadata"]["name"]] = " ".join(sorted({*filter(None, names), *secrets}))
    return found


def as_pods(text: str) -> str:
    """A pod of each workload, as its controller would make it."""
    pods = []
    for o, spec in pod_specs(text):
        own = copy.deepcopy(spec)
        for claim in o["spec"].get("volumeClaimTemplates", []):
            own["volumes"].append({"name": claim["metadata"]["name"], "emptyDir": {}})
        meta = {"name": o["metadata"]["name"], "namespace": NAMESPACE}
        pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": own})
    return yaml.safe_dump_all(pods)
