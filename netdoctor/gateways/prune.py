"""Old ConfigMaps and Secrets of the modules: each change makes one of a new name, and nothing else deletes the old.

One stays as long as anything that a roll back could go back to refers to it (revisionHistoryLimit in k8s/ is 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netdoctor.facts.gateways.gateway_objects import MODULES, PART_OF, key_of, referenced
from netdoctor.system.kube_api import KubeApi

KINDS = {"ConfigMap": "configmaps", "Secret": "secrets"}
REVISIONS = ("replicasets", "controllerrevisions", "statefulsets", "daemonsets", "deployments")


def prune(api: KubeApi, namespace: str, applied: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Delete what is immutable, labelled as a part of the modules, not applied now and referred to by nothing.

    Returns Kind/name of each. Raises CannotRead.
    """
    keep = {key_of(o) for o in applied} | references(api, namespace)
    gone = []
    for kind, plural in KINDS.items():
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        for item in api.get(path, labelSelector=f"{PART_OF}={MODULES}")["items"]:
            name = item["metadata"]["name"]
            if item.get("immutable") and f"{kind}/{namespace}/{name}" not in keep:
                api.delete(f"{path}/{name}")
                gone.append(f"{kind}/{name}")
    return tuple(gone)


def references(api: KubeApi, namespace: str) -> set[str]:
    """The Secrets and ConfigMaps that pods, workloads and their kept revisions refer to. Raises CannotRead."""
    pods = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    specs = [pod.get("spec") or {} for pod in pods]
    for plural in REVISIONS:
        items: Sequence[Mapping[str, Any]] = api.get(f"/apis/apps/v1/namespaces/{namespace}/{plural}")["items"]
        for item in items:
            spec = (item.get("data") or item).get("spec") or {}
            specs.append((spec.get("template") or {}).get("spec") or {})
    return referenced(
        {"kind": "Deployment", "metadata": {"namespace": namespace}, "spec": {"template": {"spec": spec}}}
        for spec in specs
    )
