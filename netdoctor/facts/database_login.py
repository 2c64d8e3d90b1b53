"""Who to log in as at Postgres. Held in memory only: this is no dataclass of facts that a recording would keep."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.cluster import Service, Services
from netdoctor.kube_api import KubeApi
from netdoctor.redact import remember

VARIABLE = "NETDOCTOR_DATABASE_URL"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class Login:
    """A user, a password and a database; `repr` does not show the password."""

    user: str
    password: str
    database: str
    sslmode: str = "prefer"

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.user!r}, ***, {self.database!r})"


class DatabaseLogins:
    """database login"""

    def __init__(self, for_service: Mapping[str, Login], source: str) -> None:
        """Logins by Service (namespace/name), and where they came from."""
        self.for_service, self.source = for_service, source
        for login in for_service.values():
            remember(login.password)

    @classmethod
    def collect(cls, services: Services, api: KubeApi | CannotRead) -> DatabaseLogins:
        """Look for them where the modules have them. Raises CannotRead where none is found."""
        if url := os.environ.get(VARIABLE):
            login, host = parse_url(url), _host_of(url)
            meant = {str(s): login for s in services.postgres if host in names_of(s)}
            if not meant:
                raise CannotRead("database login", f"{VARIABLE} names another host than a Postgres Service")
            return cls(meant, VARIABLE)
        if isinstance(api, CannotRead):
            raise CannotRead("database login", f"{VARIABLE} is not set, and the API server cannot be asked")
        pods = api.get("/api/v1/pods")["items"]
        found, sources = {}, []
        for service in services.postgres:
            for source, login in _candidates(api, pods, service):
                found[str(service)] = login
                sources.append(source)
                break
        if not found:
            raise CannotRead("database login", f"{VARIABLE} is not set, and no pod's environment holds one")
        return cls(found, "; ".join(dict.fromkeys(sources)))


def parse_url(url: str) -> Login:
    """The login in a postgresql:// URL. Raises BadInput, without the URL in the text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("postgresql", "postgres") or not parts.username:
        raise BadInput(f"{VARIABLE} is no usable postgresql:// URL with a user")
    query = dict(item.split("=", 1) for item in parts.query.split("&") if "=" in item)
    if query.get("sslmode", "prefer") not in SSL_MODES:
        raise BadInput(f"{VARIABLE} has an sslmode that libpq does not know")
    return Login(
        unquote(parts.username or ""), unquote(parts.password or ""), unquote(parts.path.lstrip("/")) or "postgres",
        query.get("sslmode", "prefer"),
    )  # fmt: skip


def names_of(service: Service) -> tuple[str, str, str]:
    """What a URL may call a Service, the short name first, which holds in its own namespace only."""
    return service.name, f"{service.name}.{service.namespace}", service.cluster_ip


def _candidates(api: KubeApi, pods: list[dict[str, Any]], service: Service) -> Iterator[tuple[str, Login]]:
    hosts = names_of(service)
    for pod in pods:
        environment = _environment(api, pod)
        meta = pod["metadata"]
        url = environment.get("DATABASE_URL", "")
        near = meta["namespace"] == service.namespace
        if url and _host_of(url) in (hosts if near else hosts[1:]):
            try:
                yield f"DATABASE_URL of pod {meta['namespace']}/{meta['name']}", parse_url(url)
            except BadInput:
                continue
    for pod in pods:
        meta = pod["metadata"]
        behind = service.selector and service.selector.items() <= meta.get("labels", {}).items()
        if behind and meta["namespace"] == service.namespace:
            environment = _environment(api, pod)
            if password := environment.get("POSTGRES_PASSWORD"):
                user = environment.get("POSTGRES_USER", "postgres")
                login = Login(user, password, environment.get("POSTGRES_DB", user))
                yield f"POSTGRES_* of pod {meta['namespace']}/{meta['name']}", login


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removesuffix(".svc.cluster.local").removesuffix(".svc")
    except ValueError:
        return ""


def _environment(api: KubeApi, pod: dict[str, Any]) -> dict[str, str]:
    """The database variables of a pod's containers: literal values, and those from Secrets and ConfigMaps."""
    wanted = ("DATABASE_URL", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB")
    found: dict[str, str] = {}
    for container in pod.get("spec", {}).get("containers", ()):
        for source in container.get("envFrom") or ():
            for kind in ("secretRef", "configMapRef"):
                if kind in source:
                    data = _data(api, pod["metadata"]["namespace"], kind, source[kind].get("name", ""))
                    found |= {key: value for key, value in data.items() if key in wanted}
        for variable in container.get("env") or ():
            if variable["name"] not in wanted:
                continue
            if "value" in variable:
                found[variable["name"]] = variable["value"]
            for kind in ("secretKeyRef", "configMapKeyRef"):
                if reference := (variable.get("valueFrom") or {}).get(kind):
                    data = _data(api, pod["metadata"]["namespace"], kind, reference.get("name", ""))
                    found[variable["name"]] = data.get(reference.get("key", ""), "")
    return found


def _data(api: KubeApi, namespace: str, kind: str, name: str) -> dict[str, str]:
    plural = "secrets" if kind.startswith("secret") else "configmaps"
    try:
        data = api.get(f"/api/v1/namespaces/{namespace}/{plural}/{name}").get("data") or {}
    except CannotRead:  # not there, or not allowed: the next candidate may do
        return {}
    if plural == "configmaps":
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
