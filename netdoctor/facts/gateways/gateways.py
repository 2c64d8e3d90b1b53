"""The gateway modules as their objects describe them: what they serve, where, and what they need. No secret's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.gateways.gateway_objects import (
    ModuleObjects,
    Object,
    containers_of,
    data_of,
    key_of,
    template_of,
    workload_name,
)
from netdoctor.facts.gateways.litellm_config import (
    POOL_LIMIT,
    Database,
    Model,
    config_of,
    database_problem_of,
    login_of,
    models_of,
)
from netdoctor.model import NotApplicable
from netdoctor.system.foreign_text import is_number
from netdoctor.system.kube_api import KubeApi

COMPONENT = "app.kubernetes.io/component"
MASTER_KEY = "LITELLM_MASTER_KEY"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One value in a Secret that a module needs."""

    namespace: str
    secret: str
    key: str
    state: str  # "there", "empty", "missing" or why it could not be read
    optional: bool = False

    def __str__(self) -> str:
        """As a person would look for it."""
        return f"key {self.key} of Secret {self.namespace}/{self.secret}"


@dataclass(frozen=True, slots=True)
class Gateway:
    """One module."""

    name: str  # llm, vision, ...
    namespace: str
    workload: str  # as kubectl names it: deployment/litellm-llm
    replicas: int
    labels: Mapping[str, str]  # of its pods
    host_network: bool
    container_port: int
    service: str
    node_port: int
    models: tuple[Model, ...]
    database: Database | None  # where it, or the container that waits before it, logs in
    pool_limit: int  # connections of each replica
    database_problem: str = ""  # why the URL of its database cannot be taken apart


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the deployment needs."""

    name: str
    pull_policy: str
    users: tuple[str, ...]  # workloads


@dataclass(frozen=True, slots=True)
class Modules:
    """the modules"""

    namespace: str
    namespace_exists: bool | None  # None: could not be asked
    source: str
    gateways: tuple[Gateway, ...]
    images: tuple[Image, ...]
    secrets: tuple[SecretKey, ...]
    services: tuple[str, ...]  # namespace/name of every Service among the objects
    problems: tuple[str, ...] = ()  # what could not be understood, in sentences

    @classmethod
    def collect(cls, objects: ModuleObjects, api: KubeApi | CannotRead) -> Modules:
        """Read the objects. Raises CannotRead where there are no modules."""
        found = objects.gateways
        if not found:
            raise CannotRead("modules", f"{objects.source} has no workload of LiteLLM", Why.NO_MODULES)
        namespace = found[0]["metadata"].get("namespace", "default")
        problems: list[str] = []
        gateways = tuple(sorted((_gateway(objects, o, problems) for o in found), key=lambda g: g.node_port))
        return cls(
            namespace=namespace,
            namespace_exists=_exists(api, namespace),
            source=objects.source,
            gateways=gateways,
            images=_images(objects),
            secrets=_secrets(objects),
            services=tuple(_name_of(o) for o in objects.of_kind("Service")),
            problems=tuple(problems),
        )

    @property
    def databases(self) -> tuple[tuple[str, str], ...]:
        """Namespace and name of each Service that a gateway's database is behind."""
        services = [g.database.service(g.namespace) for g in self.gateways if g.database]
        return tuple(dict.fromkeys(s for s in services if s[1]))

    @property
    def providers(self) -> dict[str, tuple[str, ...]]:
        """host:port of each provider, or of the proxy before it, and the modules that call it."""
        found: dict[str, list[str]] = {}
        for gateway in self.gateways:
            for model in gateway.models:
                if model.called and gateway.name not in found.setdefault(model.called, []):
                    found[model.called].append(gateway.name)
        return {provider: tuple(names) for provider, names in found.items()}

    def role_of(self, name: str) -> str:
        """What the host and port is for the modules: `provider`, or the `proxy` before it."""
        proxies = {model.proxy for gateway in self.gateways for model in gateway.models}
        return "proxy" if name in proxies else "provider"


def needed(modules: Modules | CannotRead) -> Modules:
    """The modules. Raises NotApplicable where there are none, CannotRead where nobody could find out."""
    if isinstance(modules, Modules):
        return modules
    if modules.why is Why.NO_MODULES:
        raise NotApplicable(f"no modules: {modules.reason}")
    raise modules


def _name_of(obj: Object) -> str:
    return key_of(obj).partition("/")[2]


def _exists(api: KubeApi | CannotRead, namespace: str) -> bool | None:
    if isinstance(api, CannotRead):
        return None
    try:
        return api.find(f"/api/v1/namespaces/{namespace}") is not None
    except CannotRead:
        return None


def _gateway(objects: ModuleObjects, workload: Object, problems: list[str]) -> Gateway:
    meta, template = workload["metadata"], template_of(workload)
    spec, labels = template.get("spec") or {}, dict((template.get("metadata") or {}).get("labels") or {})
    namespace = meta.get("namespace", "default")
    main = _main(workload)
    environment = objects.environment(namespace, main)
    config = config_of(objects, namespace, spec, meta["name"], problems)
    service, node_port = _service(objects, namespace, labels)
    general = config.get("general_settings") or {}
    login = gateway_login(objects, workload)
    limit = general.get("database_connection_pool_limit", POOL_LIMIT) if isinstance(general, dict) else POOL_LIMIT
    return Gateway(
        name=gateway_name(workload),
        namespace=namespace,
        workload=workload_name(workload),
        replicas=number(workload.get("spec", {}).get("replicas", 1), 1),
        labels=labels,
        host_network=bool(spec.get("hostNetwork")),
        container_port=next((number(p.get("containerPort"), 0) for p in main.get("ports") or ()), 4000),
        service=service,
        node_port=node_port,
        models=tuple(models_of(config, environment)),
        database=login[0] if login else None,
        pool_limit=number(limit, POOL_LIMIT),
        database_problem=database_problem_of(environment),
    )


def number(value: object, otherwise: int) -> int:
    """A number of a manifest; what is none is for the API server to refuse."""
    return int(str(value)) if is_number(str(value)) else otherwise


def _service(objects: ModuleObjects, namespace: str, labels: Mapping[str, str]) -> tuple[str, int]:
    """Name and NodePort of the Service in front of these pods; one with a NodePort first."""
    found = []
    for service in objects.of_kind("Service"):
        selector = service["spec"].get("selector") or {}
        if (
            service["metadata"].get("namespace", "default") == namespace
            and selector
            and selector.items() <= labels.items()
        ):
            for port in service["spec"].get("ports") or ():
                found.append((service["metadata"]["name"], number(port.get("nodePort"), 0)))
    return max(found, key=lambda f: f[1] > 0, default=("", 0))


def secret_key(objects: ModuleObjects, namespace: str, name: str, key: str, *, optional: bool = False) -> SecretKey:
    """What is known of one key of a Secret, without its value."""
    path = f"Secret/{namespace}/{name}"
    there = objects.named("Secret", namespace, name)
    if there is None:
        return SecretKey(namespace, name, key, objects.unread.get(path, "missing"), optional)
    value = data_of(there).get(key)
    state = "missing" if value is None else "there" if value.strip() else "empty"
    return SecretKey(namespace, name, key, state, optional)


def _secrets(objects: ModuleObjects) -> tuple[SecretKey, ...]:
    found: dict[tuple[str, str, str], SecretKey] = {}
    for workload in objects.of_kind("Deployment", "StatefulSet", "DaemonSet"):
        namespace = workload["metadata"].get("namespace", "default")
        for container in containers_of(workload):
            for variable in container.get("env") or ():
                reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
                if reference:
                    name, key = str(reference.get("name", "")), str(reference.get("key", ""))
                    optional = bool(reference.get("optional"))
                    found[namespace, name, key] = secret_key(objects, namespace, name, key, optional=optional)
    return tuple(found.values())


def _images(objects: ModuleObjects) -> tuple[Image, ...]:
    users: dict[tuple[str, str], list[str]] = {}
    for workload in objects.of_kind("Deployment", "StatefulSet", "DaemonSet"):
        for container in containers_of(workload):
            key = (str(container.get("image", "")), str(container.get("imagePullPolicy", "")))
            names = users.setdefault(key, [])
            if (name := workload["metadata"]["name"]) not in names:
                names.append(name)
    return tuple(Image(name, policy, tuple(names)) for (name, policy), names in users.items())


def _main(workload: Object) -> Object:
    """The container that is the gateway."""
    containers: list[Object] = (template_of(workload).get("spec") or {}).get("containers") or [{}]
    names = ("litellm", workload["metadata"]["name"])
    return next((c for c in containers if c.get("name") in names), containers[0])


def gateway_name(workload: Object) -> str:
    """What a gateway is called: llm, vision, ..."""
    labels = (template_of(workload).get("metadata") or {}).get("labels") or {}
    return str(labels.get(COMPONENT) or workload["metadata"]["name"].removeprefix("litellm-"))


def gateway_login(objects: ModuleObjects, workload: Object) -> tuple[Database, str] | None:
    """Where a gateway logs in, and the password: DATABASE_URL, DATABASE_*, or PG* of the container that waits."""
    namespace = workload["metadata"].get("namespace", "default")
    waiting = (template_of(workload).get("spec") or {}).get("initContainers") or ()
    for container in (_main(workload), *waiting):
        if login := login_of(objects.environment(namespace, container)):
            return login
    return None


def gateway_key(objects: ModuleObjects, gateway: Gateway) -> str:
    """The master key of a gateway; "" where it is not known."""
    for workload in objects.gateways:
        if workload_name(workload) == gateway.workload:
            for container in (template_of(workload).get("spec") or {}).get("containers") or ():
                if key := objects.environment(gateway.namespace, container).get(MASTER_KEY):
                    return key
    return ""
