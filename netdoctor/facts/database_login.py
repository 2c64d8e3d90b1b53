"""Who to log in as at Postgres. Held in memory only: this is no dataclass of facts that a recording would keep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.litellm_config import SSL_MODES
from netdoctor.facts.module_objects import ModuleObjects, data_of, environment_of, fetch
from netdoctor.facts.modules import gateway_login, gateway_name
from netdoctor.facts.postgres_servers import PostgresServers
from netdoctor.facts.services import Service, Services
from netdoctor.kube_api import KubeApi
from netdoctor.redact import remember

VARIABLE = "NETDOCTOR_DATABASE_URL"
WANTED = ("DATABASE_URL", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB")


@dataclass(frozen=True, slots=True)
class Login:
    """A user, a password and a database; `repr` does not show the password."""

    user: str
    password: str
    database: str
    sslmode: str = "prefer"
    modules: tuple[str, ...] = ()  # those that log in so

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.user!r}, ***, {self.database!r})"


class DatabaseLogins:
    """database login"""

    def __init__(self, at: Mapping[str, tuple[Login, ...]], source: str) -> None:
        """Logins by the server's name, and where they came from."""
        self.at, self.source = at, source
        for logins in at.values():
            for login in logins:
                remember(login.password)

    @classmethod
    def collect(
        cls,
        servers: PostgresServers,
        services: Services,
        api: KubeApi | CannotRead,
        objects: ModuleObjects | CannotRead,
    ) -> DatabaseLogins:
        """Look for them where the modules have them. Raises CannotRead where none is found."""
        given = os.environ.get(VARIABLE, "")
        login = parse_url(given) if given else None
        found = {} if isinstance(objects, CannotRead) else of_modules(servers, objects)
        sources = ["the modules' own"] if found else []
        others = [s for s in servers.services(services) if str(s) not in found]
        if login:
            meant = [s for s in others if _host_of(given) in names_of(s)]
            if not meant and not found:
                raise CannotRead("database login", f"{VARIABLE} names another host than a Postgres Service")
            found |= {str(s): (login,) for s in meant}
            sources += [VARIABLE] if meant else []
        elif others:
            if isinstance(api, CannotRead):
                if found:
                    return cls(found, sources[0])
                raise CannotRead("database login", f"{VARIABLE} is not set, and the API server cannot be asked")
            pods = api.get("/api/v1/pods")["items"]
            for service in others:
                for source, one in _candidates(api, pods, service):
                    found[str(service)] = (one,)
                    sources.append(source)
                    break
        if not found:
            raise CannotRead("database login", f"{VARIABLE} is not set, and no pod's environment holds one")
        return cls(found, "; ".join(dict.fromkeys(sources)))


def of_modules(servers: PostgresServers, objects: ModuleObjects) -> dict[str, tuple[Login, ...]]:
    """The logins of the gateways at each server, one for all those that log in alike; without a password none."""
    found: dict[str, dict[Login, list[str]]] = {}
    by_module = {module: server.name for server in servers.items for module in server.modules}
    for workload in objects.gateways:
        name, login = gateway_name(workload), gateway_login(objects, workload)
        if login is None or name not in by_module or not login[1]:
            continue
        database, password = login
        alike = Login(database.user, password, database.name, database.sslmode)
        found.setdefault(by_module[name], {}).setdefault(alike, []).append(name)
    return {
        server: tuple(replace(login, modules=tuple(names)) for login, names in logins.items())
        for server, logins in found.items()
    }


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

    @cache
    def data(kind: str, name: str) -> Mapping[str, str]:
        try:
            there = fetch(api, f"{kind}/{pod['metadata']['namespace']}/{name}")
        except CannotRead:  # not allowed, perhaps: the next candidate may do
            return {}
        return data_of(there) if there else {}

    found: dict[str, str] = {}
    for container in pod.get("spec", {}).get("containers", ()):
        asked = [v for v in container.get("env") or () if v["name"] in WANTED]
        found |= environment_of({**container, "env": asked}, data)
    return found
