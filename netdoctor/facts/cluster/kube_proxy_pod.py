"""kube-proxy's pod on a node: the one that its DaemonSet controls, whatever labels others carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.workloads import SYSTEM_NAMESPACE, Pod, pod_of
from netdoctor.system.kube_api import KubeApi

DAEMON_SET = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/daemonsets/kube-proxy"
REVISIONS = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/controllerrevisions"
PODS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods"
HASH = "controller-revision-hash"  # a pod's label: the template that it was made from


@dataclass(frozen=True, slots=True)
class KubeProxyPod:
    """The pod, and why deleting it would do more than start it again; "" where it would not."""

    pod: Pod
    keep: str


def kube_proxy_pod(api: KubeApi, pods: Iterable[Pod], node: str) -> KubeProxyPod | None:
    """Which of these is kube-proxy's pod on this node; None where its DaemonSet has none there. Raises CannotRead."""
    daemon_set = api.find(DAEMON_SET)
    if daemon_set is None:
        return None
    uid = str(daemon_set["metadata"]["uid"])
    mine = [
        pod
        for pod in pods
        if pod.namespace == SYSTEM_NAMESPACE
        and pod.node == node
        and not pod.leaving
        and pod.owner == "DaemonSet/kube-proxy"
        and pod.owner_uid == uid
    ]
    if not mine:
        return None
    pod = min(mine, key=lambda each: (not each.ready, each.name))
    return KubeProxyPod(pod, _several(mine) or _changed(api, daemon_set, pod))


def pods_now(api: KubeApi, node: str) -> tuple[Pod, ...]:
    """The pods of kube-system on this node, as the API server has them now. Raises CannotRead."""
    return tuple(pod_of(item) for item in api.get(PODS, fieldSelector=f"spec.nodeName={node}")["items"])


def _several(pods: list[Pod]) -> str:
    if len(pods) == 1:
        return ""
    return f"its DaemonSet has {len(pods)} pods on this node: it is being replaced"


def _changed(api: KubeApi, daemon_set: Mapping[str, Any], pod: Pod) -> str:
    """Why a new pod would differ from this one, "" where it would not: the DaemonSet may have another template now."""
    meta, spec = daemon_set["metadata"], daemon_set["spec"]
    strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
    if "deletionTimestamp" in meta:
        return "its DaemonSet is being deleted: no new pod would come"
    observed = (daemon_set.get("status") or {}).get("observedGeneration")
    if observed != meta.get("generation"):
        return "its DaemonSet has just been changed"
    try:
        found = api.get(REVISIONS)["items"]
    except CannotRead as error:
        return f"whether its DaemonSet has changed since the pod was made cannot be read: {error}"
    newest = max((each for each in found if _controls(meta["uid"], each)), key=_revision, default=None)
    current = str(((newest or {}).get("metadata", {}).get("labels") or {}).get(HASH, ""))
    if current and current == pod.labels.get(HASH):
        return ""
    return f"its DaemonSet (updateStrategy {strategy}) has a different template from the pod's: a new pod would differ"


def _controls(uid: str, item: Mapping[str, Any]) -> bool:
    owners = item["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


def _revision(item: Mapping[str, Any]) -> int:
    revision = item.get("revision")
    return revision if isinstance(revision, int) else 0
