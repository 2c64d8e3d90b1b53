"""The objects of the gateway modules: from a kustomization that somebody named, else those in the cluster.

They hold Secrets, so this is not a dataclass, which a recording would keep;
`facts/gateways/gateways.py` says what may be written.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.kustomization import Kustomization
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.read_secrets import remember_objects

NAME, PART_OF = "app.kubernetes.io/name", "app.kubernetes.io/part-of"
GATEWAY, MODULES = "litellm", "litellm-modules"  # the values of these labels
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
FROM = {"secretRef": "Secret", "configMapRef": "ConfigMap"}  # what envFrom may name
PROJECTED = {"secret": "Secret", "configMap": "ConfigMap"}  # what a projected volume may name
REFERENCE = re.compile(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")  # in a variable's value; $$( is a dollar
SECRET_TYPES = ("Opaque", "kubernetes.io/basic-auth")
LISTS = {
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "Service": "/api/v1/services",
}

Object = Mapping[str, Any]


class ModuleObjects:
    """the modules' objects"""

    def __init__(self, objects: Iterable[Object], source: str, *, deployed: bool, unread: Mapping[str, str]) -> None:
        """Objects, where they come from, whether they are in the cluster already, and which could not be read.

        `unread` has the reason by Kind/namespace/name; an object that is simply not there is in neither.
        """
        self.objects, self.source, self.deployed, self.unread = tuple(objects), source, deployed, dict(unread)
        for each in self.objects:
            remember_objects(each)

    @classmethod
    def collect(cls, api: KubeApi | CannotRead, manifests: Kustomization | CannotRead) -> ModuleObjects:
        """Those of the named kustomization, else the ones in the cluster. Raises CannotRead."""
        if not isinstance(manifests, CannotRead):
            found: list[Object] = list(manifests.objects)
            source, deployed = manifests.folder, False
        elif isinstance(api, CannotRead):
            raise api
        else:
            found, source, deployed = live(api), "the cluster", True
        unread: dict[str, str] = {}
        have = {key_of(o) for o in found}
        mine = own_namespace(found)
        for key in sorted(named_by(found) - have):
            if isinstance(api, CannotRead):
                unread[key] = str(api)
            elif not deployed and (reason := not_theirs(key, mine)):
                unread[key] = reason
            else:
                try:
                    if there := fetch(api, key):
                        found.append(readable(there, key))
                except CannotRead as error:
                    unread[key] = str(error)
        return cls(found, source, deployed=deployed, unread=unread)

    def of_kind(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        return (o for o in self.objects if o.get("kind") in kinds)

    def named(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object of this kind and name."""
        key = f"{kind}/{namespace}/{name}"
        return next((o for o in self.objects if key_of(o) == key), None)

    @property
    def gateways(self) -> tuple[Object, ...]:
        """The workloads that run LiteLLM: by their label, or by their name where they have none."""
        return tuple(o for o in self.of_kind(*WORKLOADS) if is_gateway(o))

    def environment(self, namespace: str, container: Object) -> dict[str, str]:
        """A container's variables, as far as they are literal or stand in a Secret or ConfigMap that was read."""

        def data(kind: str, name: str) -> Mapping[str, str]:
            there = self.named(kind, namespace, name)
            return data_of(there) if there else {}

        return environment_of(container, data)


def own_namespace(objects: Iterable[Object]) -> str:
    """The namespace of a deployment: that of its first gateway; "" without one."""
    gateways = (o for o in objects if o.get("kind") in WORKLOADS and is_gateway(o))
    return next((str(o["metadata"].get("namespace", "default")) for o in gateways), "")


def not_theirs(key: str, namespace: str) -> str:
    """Why manifests of this namespace do not get what Kind/namespace/name stands for; "" where they do."""
    other = key.split("/")[1]
    if other != namespace:
        return f"its namespace is not the deployment's, {namespace or 'which has none'}"
    return "no Secret of the cluster's own namespaces is read for manifests" if other.startswith("kube-") else ""


def readable(there: Object, key: str) -> Object:
    """The object, unless it is a Secret that the cluster itself made, such as a token. Raises CannotRead."""
    kind = str(there.get("type") or "Opaque")
    if there.get("kind") == "Secret" and kind not in SECRET_TYPES:
        raise CannotRead(key, f"a Secret of type {kind[:60]} is not read for a module")
    return there


def named_by(objects: Iterable[Object]) -> set[str]:
    """What the workloads' variables take values from, and the ConfigMaps that they mount; no Secret that is a file."""
    known = tuple(objects)
    return {key for key in referenced(known) if key.startswith("ConfigMap/")} | referenced(known, files=False)


def environment_of(container: Object, data: Callable[[str, str], Mapping[str, str]]) -> dict[str, str]:
    """A container's variables; `data` gives what is in the Secret or ConfigMap of a kind and name."""
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for field, kind in FROM.items():
            if reference := source.get(field):
                values = data(kind, reference.get("name", ""))
                found |= {source.get("prefix", "") + key: value for key, value in values.items()}
    for variable in container.get("env") or ():
        if "value" in variable:
            found[variable["name"]] = expanded(str(variable["value"]), found)
        for kind, name, key in references_of(variable):
            if key in (values := data(kind, name)):
                found[variable["name"]] = values[key]
    return found


def expanded(value: str, known: Mapping[str, str]) -> str:
    """A value with the variables that it refers to, as the kubelet puts them in; one that is not known stays."""
    return REFERENCE.sub(lambda found: known.get(found[1], found[0]), value)


def is_gateway(workload: Object) -> bool:
    """Whether a workload runs LiteLLM."""
    meta = workload["metadata"]
    labels = {**(meta.get("labels") or {}), **(template_of(workload).get("metadata", {}).get("labels") or {})}
    if NAME in labels:
        return bool(labels[NAME] == GATEWAY)
    return str(meta.get("name", "")).startswith(f"{GATEWAY}-")


def template_of(workload: Object) -> Object:
    """The pod template of a workload."""
    template: Object = workload.get("spec", {}).get("template") or {}
    return template


def containers_of(workload: Object) -> list[Object]:
    """The init containers and containers of a workload."""
    spec = template_of(workload).get("spec") or {}
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def workload_name(workload: Object) -> str:
    """As kubectl names it: deployment/litellm-llm."""
    return f"{workload['kind'].lower()}/{workload['metadata']['name']}"


def key_of(obj: Object) -> str:
    """Kind/namespace/name."""
    meta = obj.get("metadata", {})
    return f"{obj.get('kind')}/{meta.get('namespace', 'default')}/{meta.get('name')}"


def data_of(obj: Object) -> dict[str, str]:
    """The values of a Secret or ConfigMap, decoded; one that is not base64 is left out."""
    found = {str(k): str(v) for k, v in (obj.get("stringData") or {}).items()}
    for key, value in (obj.get("data") or {}).items():
        if obj.get("kind") != "Secret":
            found[str(key)] = str(value)
            continue
        try:
            found[str(key)] = base64.b64decode(str(value), validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            continue
    return found


def references_of(variable: Object) -> Iterator[tuple[str, str, str]]:
    """The (kind, name, key) that a variable takes its value from."""
    source = variable.get("valueFrom") or {}
    for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if reference := source.get(field):
            yield kind, str(reference.get("name", "")), str(reference.get("key", ""))


def referenced(objects: Iterable[Object], *, files: bool = True) -> set[str]:
    """The Secrets and ConfigMaps, as Kind/namespace/name, that the workloads among these take values or files from."""
    keys: set[str] = set()
    for workload in objects:
        if workload.get("kind") not in WORKLOADS:
            continue
        namespace = workload["metadata"].get("namespace", "default")
        keys |= {f"{kind}/{namespace}/{name}" for kind, name in _named_by_variables(workload)}
        if files:
            keys |= {f"{kind}/{namespace}/{name}" for kind, name in _named_by_volumes(workload)}
    return keys


def _named_by_variables(workload: Object) -> Iterator[tuple[str, str]]:
    """Kind and name of what the containers' variables come from."""
    for container in containers_of(workload):
        for variable in container.get("env") or ():
            for kind, name, _ in references_of(variable):
                yield kind, name
        for source in container.get("envFrom") or ():
            yield from _named_in(source, FROM)


def _named_by_volumes(workload: Object) -> Iterator[tuple[str, str]]:
    """Kind and name of what the pods' volumes come from."""
    spec = template_of(workload).get("spec") or {}
    for volume in spec.get("volumes") or ():
        if name := (volume.get("configMap") or {}).get("name"):
            yield "ConfigMap", name
        if name := (volume.get("secret") or {}).get("secretName"):
            yield "Secret", name
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _named_in(source, PROJECTED)


def _named_in(source: Object, fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Kind and name of the references in these fields; `fields` has the kind that each of them names."""
    for field, kind in fields.items():
        if field in source:
            yield kind, source[field].get("name", "")


def fetch(api: KubeApi, key: str) -> Object | None:
    """One Secret or ConfigMap, None where it is not there. Raises CannotRead."""
    kind, namespace, name = key.split("/", 2)
    found = api.find(f"/api/v1/namespaces/{namespace}/{kind.lower()}s/{name}")
    return {**found, "kind": kind} if found is not None else None


def live(api: KubeApi) -> list[Object]:
    """The modules' workloads in the cluster, all that is labelled as a part of them, and the Services in front."""
    items: dict[str, list[Object]] = {}
    for kind, path in LISTS.items():
        items[kind] = [{**item, "kind": kind} for item in api.get(path)["items"]]
    workloads = [o for o in (*items["Deployment"], *items["StatefulSet"]) if is_gateway(o) or is_part(o)]
    namespaces = {o["metadata"]["namespace"] for o in workloads if is_gateway(o)}
    services = [o for o in items["Service"] if o["metadata"]["namespace"] in namespaces]
    return [*(o for o in workloads if o["metadata"]["namespace"] in namespaces), *services]


def is_part(obj: Object) -> bool:
    """Whether an object carries the label of the deployment."""
    return bool((obj["metadata"].get("labels") or {}).get(PART_OF) == MODULES)
