"""What Kubernetes objects have to look like for netdoctor to read them, and nothing of what they mean.

A manifest may hold anything, and so may the answer of a server that is not an API server. Where a mapping, a list or a
single value is expected, and something else stands, the object is refused in one sentence; null is what it is to
Kubernetes: as if the field were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# a shape is a mapping of fields, a list of one shape, ANY for whatever may stand there, or one of these words
TEXT, VALUE, ANY, VALUES = "a text", "a single value", "anything", "a mapping of single values"
NAME, NUMBER = "a text that is there", "a whole number"
NAMED = {"name": VALUE}
REFERENCE = {"name": VALUE, "key": VALUE, "optional": VALUE}
CONTAINER = {
    "name": NAME,
    "image": TEXT,
    "imagePullPolicy": TEXT,
    "env": [{"name": NAME, "value": VALUE, "valueFrom": {"secretKeyRef": REFERENCE, "configMapKeyRef": REFERENCE}}],
    "envFrom": [{"prefix": TEXT, "secretRef": NAMED, "configMapRef": NAMED}],
    "ports": [{"name": TEXT, "containerPort": VALUE, "hostPort": VALUE, "protocol": TEXT}],
}
POD_SPEC = {
    "containers": [CONTAINER],
    "initContainers": [CONTAINER],
    "nodeName": TEXT,
    "hostNetwork": VALUE,
    "volumes": [
        {
            "name": TEXT,
            "configMap": NAMED,
            "secret": {"secretName": VALUE},
            "projected": {"sources": [{"secret": NAMED, "configMap": NAMED}]},
        }
    ],
}
METADATA = {
    "name": NAME,
    "namespace": TEXT,
    "generation": NUMBER,
    "labels": VALUES,
    "annotations": VALUES,
    "uid": TEXT,
    "ownerReferences": [{"kind": NAME, "name": NAME, "uid": TEXT}],
}
REASON = {"reason": TEXT, "message": TEXT}
ENDED = {**REASON, "exitCode": NUMBER, "finishedAt": TEXT}
CONTAINER_STATE = {"waiting": REASON, "terminated": ENDED, "running": ANY}
CONTAINER_STATUS = {"name": NAME, "restartCount": NUMBER, "state": CONTAINER_STATE, "lastState": CONTAINER_STATE}
CONDITIONS = [{"type": NAME, "status": NAME, "reason": TEXT, "message": TEXT}]
TEMPLATE = {"metadata": {**METADATA, "name": TEXT}, "spec": POD_SPEC}
WORKLOAD = {
    "spec": {"replicas": NUMBER, "template": TEMPLATE, "selector": {"matchLabels": VALUES}},
    "status": {
        **dict.fromkeys(
            (
                "replicas",
                "readyReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "numberReady",
                "desiredNumberScheduled",
                "updatedNumberScheduled",
            ),
            NUMBER,
        ),
        "conditions": CONDITIONS,
    },
}
RULES = [{"ports": [{"port": VALUE, "endPort": VALUE, "protocol": TEXT}], "to": [ANY], "from": [ANY]}]
TYPES: dict[str, type] = {TEXT: str, NAME: str, NUMBER: int}
KINDS: dict[str, dict[str, Any]] = {
    "Deployment": WORKLOAD,
    "StatefulSet": WORKLOAD,
    "DaemonSet": WORKLOAD,
    "ReplicaSet": WORKLOAD,
    "ControllerRevision": {"data": {"spec": {"template": TEMPLATE}}},
    "Pod": {
        "spec": POD_SPEC,
        "status": {
            "phase": TEXT,
            "podIP": TEXT,
            "hostIP": TEXT,
            "conditions": CONDITIONS,
            "containerStatuses": [CONTAINER_STATUS],
            "initContainerStatuses": [CONTAINER_STATUS],
        },
    },
    "Service": {
        "spec": {
            "type": TEXT,
            "clusterIP": TEXT,
            "clusterIPs": [TEXT],
            "selector": VALUES,
            "externalIPs": [TEXT],
            "ports": [{"name": TEXT, "protocol": TEXT, "port": NUMBER, "nodePort": VALUE, "targetPort": VALUE}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": TEXT}]}},
    },
    "EndpointSlice": {
        "endpoints": [{"addresses": [TEXT], "conditions": VALUES, "targetRef": VALUES, "nodeName": TEXT}],
        "ports": [{"name": TEXT, "protocol": TEXT, "port": VALUE}],
    },
    "ConfigMap": {"data": VALUES, "binaryData": VALUES},
    "Secret": {"data": VALUES, "stringData": VALUES, "type": TEXT},
    "Node": {
        "spec": {"podCIDR": TEXT, "podCIDRs": [TEXT]},
        "status": {
            "addresses": [{"type": NAME, "address": NAME}],
            "images": [{"names": [TEXT], "sizeBytes": VALUE}],
            "conditions": CONDITIONS,
            "nodeInfo": VALUES,
        },
    },
    "Event": {"involvedObject": VALUES, "reason": TEXT, "message": TEXT, "type": TEXT, "count": VALUE},
    "Namespace": {"status": {"phase": TEXT}},
    "NetworkPolicy": {
        "spec": {"podSelector": {"matchLabels": VALUES}, "policyTypes": [TEXT], "ingress": RULES, "egress": RULES}
    },
}


class Misshapen(ValueError):
    """Which field is not as it has to be, in words that repeat nothing of it."""


def shaped(obj: Any, kind: str = "") -> dict[str, Any]:
    """The object, or list of objects, without nulls and with each known field as it has to be. Raises Misshapen.

    `kind` is that of an item of a list, which need not say its own.
    """
    if not isinstance(obj, dict):
        raise Misshapen("an object is not a mapping")
    own = obj.get("kind") or kind
    if not isinstance(own, str):
        raise Misshapen("its kind is not a text")
    of_items = own.removesuffix("List")
    if own.endswith("List") and ("items" in obj or of_items in KINDS):
        return _list_of(obj, own, of_items)
    where = _called(obj, own)
    if own not in KINDS:
        found: dict[str, Any] = _as(obj, {"metadata": {"labels": VALUES}}, where)
        return {**found, "metadata": found.get("metadata", {})}
    found = _as({**obj, "metadata": obj.get("metadata") or {}}, {"metadata": METADATA, **KINDS[own]}, where)
    return {**found, "spec": found.get("spec", {})} if "spec" in KINDS[own] else found


def _list_of(obj: Mapping[str, Any], kind: str, of_items: str) -> dict[str, Any]:
    items = obj.get("items")
    if not isinstance(items, list | None):
        raise Misshapen(f"the items of a {kind[:60]} are not a list")
    return {**obj, "items": [shaped(item, of_items) for item in items or () if item is not None]}


def _called(obj: Mapping[str, Any], kind: str) -> str:
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    return f"{kind[:60]} {name[:100]}".strip() if isinstance(name, str) else kind[:60]


def _as(value: Any, shape: Any, where: str) -> Any:
    """The value in this shape. Raises Misshapen."""
    if isinstance(shape, dict):
        return _as_mapping(value, shape, where)
    if isinstance(shape, list):
        _insist(isinstance(value, list), where, "a list")
        return [_as(item, shape[0], f"{where}[{n}]") for n, item in enumerate(value) if item is not None]
    if shape == VALUES:
        _insist(isinstance(value, dict), where, "a mapping")
        fields = _without_nulls(value)
        return {str(key): _as(item, VALUE, f"{where}: a value of it") for key, item in fields.items()}
    if shape in TYPES:
        _insist(isinstance(value, TYPES[shape]), where, TEXT if shape == NAME else shape)
    elif shape == VALUE:
        _insist(not isinstance(value, dict | list | tuple | set), where, VALUE)
    return value


def _as_mapping(value: Any, shape: Mapping[str, Any], where: str) -> dict[str, Any]:
    _insist(isinstance(value, dict), where, "a mapping")
    fields = _without_nulls(value)
    for key, part in shape.items():
        if part == NAME and not fields.get(key):
            raise Misshapen(f"{where} has no {key}")
    return {key: _as(item, shape.get(key, ANY), f"{where}: {key}") for key, item in fields.items()}


def _without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item is not None}


def _insist(right: bool, where: str, wanted: str) -> None:
    if not right:
        raise Misshapen(f"{where} is not {wanted}")
