"""Applying the modules' objects, server-side, by the user's own kubectl; what would change, and the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.kubectl import Answered, Kubectl
from netdoctor.gateways.rollout import REVISION, Progress
from netdoctor.system.kube_api import ApiError, KubeApi

MANAGER = "--field-manager=netdoctor"
# the name of a file that `kubectl diff` makes of an object: group.version.Kind.namespace.name
CHANGED = re.compile(r"^\+\+\+ \S*/MERGED-\d+/(\S+)", re.MULTILINE)
REVISION_NOTES = (REVISION, "kubectl.kubernetes.io/last-applied-configuration")
CONFLICT = re.compile(r'conflicts? with "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Difference:
    """What applying would change: Kind/name of each object, and the diff as kubectl shows it (Secrets masked)."""

    changed: tuple[str, ...]
    text: str
    namespace_missing: bool = False


def manifest(objects: Sequence[Mapping[str, Any]]) -> str:
    """The objects as one list for kubectl's standard input."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def difference(
    kubectl: Kubectl,
    api: KubeApi,
    namespace: str,
    objects: Sequence[Mapping[str, Any]],
    *,
    force_conflicts: bool = False,
) -> Difference:
    """Ask the API server what would change. Raises CannotRead with its own words where it refuses the objects."""
    if not namespace_exists(api, namespace):
        return Difference(tuple(f"{o['kind']}/{o['metadata']['name']}" for o in objects), "", namespace_missing=True)
    options = ["--force-conflicts"] if force_conflicts else []
    done = kubectl.run("diff", "--server-side", MANAGER, *options, "-f", "-", stdin=manifest(objects))
    if done.status > 1 or (done.status == 1 and not done.stdout):
        raise CannotRead("kubectl diff", refusal(done))
    changed = tuple(dict.fromkeys(short(name) for name in CHANGED.findall(done.stdout)))
    return Difference(changed, done.stdout)


def short(name: str) -> str:
    """Kind/name of `apps.v1.Deployment.litellm.litellm-llm`."""
    parts = name.split(".")
    at = next((i for i, part in enumerate(parts) if part[:1].isupper()), 0)
    return f"{parts[at]}/{'.'.join(parts[at + 2 :])}"


def namespace_exists(api: KubeApi, namespace: str) -> bool:
    """Whether the namespace is there. Raises CannotRead."""
    found = api.find(f"/api/v1/namespaces/{namespace}")
    if found and found.get("status", {}).get("phase") == "Terminating":
        raise CannotRead(f"namespace {namespace}", "it is being deleted: nothing can be made in it")
    return found is not None


def make_namespace(api: KubeApi, namespace: str, *, host_network: bool) -> None:
    """Make the namespace, which admits restricted pods only, unless some want the host's network. Raises CannotRead.

    One that somebody else makes meanwhile is not an error.
    """
    labels = {"pod-security.kubernetes.io/enforce": "privileged" if host_network else "restricted"}
    metadata = {"name": namespace, "labels": labels}
    try:
        api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    except ApiError as error:
        if error.status != 409:
            raise


def apply(kubectl: Kubectl, objects: Sequence[Mapping[str, Any]], *, force_conflicts: bool = False) -> None:
    """Apply the objects. Raises CannotRead with the API server's words; what it took before that stays."""
    options = ["--force-conflicts"] if force_conflicts else []
    done = kubectl.run("apply", "--server-side", MANAGER, *options, "-f", "-", stdin=manifest(objects))
    if done.status:
        raise CannotRead("kubectl apply", refusal(done))


def refusal(done: Answered) -> str:
    """Why kubectl failed, in one sentence."""
    if others := sorted(set(CONFLICT.findall(done.stderr))):
        return (
            f"{' and '.join(others)} changed the same fields before: look with --dry-run --force-conflicts, "
            "then take them over with --force-conflicts"
        )
    return done.reason


def as_it_is(kubectl: Kubectl, objects: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """These objects as they are in the cluster, fit to be applied again; those that are not there are left out.

    Raises CannotRead.
    """
    if not objects:
        return ()
    text = kubectl.must("get", "--ignore-not-found", "-o", "json", "-f", "-", stdin=manifest(objects))
    found = json.loads(text) if text.strip() else {"items": []}
    return tuple(_applicable(item) for item in found.get("items", [found]))


def _applicable(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object without what the API server writes itself."""
    written = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
    metadata = {key: value for key, value in item["metadata"].items() if key not in written}
    notes = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k not in REVISION_NOTES}
    if notes:
        metadata["annotations"] = notes
    return {**{key: value for key, value in item.items() if key not in ("status", "metadata")}, "metadata": metadata}


def rolled(before: Sequence[Progress], after: Sequence[Progress]) -> tuple[str, ...]:
    """The workloads that ran something else before."""
    old = {p.workload: p.revision for p in before}
    return tuple(p.workload for p in after if p.workload in old and old[p.workload] != p.revision)
