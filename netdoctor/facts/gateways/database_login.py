"""Who to log in as at Postgres. Held in memory only: this is no dataclass of facts that a recording would keep."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.cluster.services import POSTGRES_PORT, Service, Services
from netdoctor.facts.gateways.gateway_objects import ModuleObjects, data_of, environment_of, fetch, own_namespace
from netdoctor.facts.gateways.gateways import gateway_login, gateway_name
from netdoctor.facts.gateways.litellm_config import SSL_MODES
from netdoctor.facts.gateways.postgres_servers import PostgresServer, PostgresServers, port_of
from netdoctor.redact import remember
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.read_secrets import remember_url

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

    def __init__(self, at: Mapping[str, tuple[Login, ...]], source: str, withheld: tuple[str, ...] = ()) -> None:
        """Logins by the server's name, where they came from, and why others are not used, in sentences."""
        self.at, self.source, self.withheld = at, source, withheld
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
        known = None if isinstance(objects, CannotRead) else objects
        found = of_modules(servers, known) if known else {}
        withheld: dict[str, str] = {}
        for server in [name for name in found if not is_its_service(name, known, services)]:
            modules = ", ".join(module for login in found.pop(server) for module in login.modules)
            withheld[server] = (
                f"the password of {modules} is not sent to {server}: it is not a Service of the manifests in their own "
                f"namespace that selects pods; {VARIABLE} may hold a login for it"
            )
        sources = ["the modules' own"] if found else []
        others = [server for server in servers.items if server.name not in found]
        given = os.environ.get(VARIABLE, "")
        if given:
            login, (meant, reason) = parse_url(given), meant_by(given, others, services)
            if reason and not found:
                raise CannotRead("database login", reason)
            found |= {name: (login,) for name in meant}
            sources.append(reason or VARIABLE)
            withheld = {name: sentence for name, sentence in withheld.items() if name not in meant}
        elif others and (known is None or known.deployed):  # manifests get no password that they do not name
            sources += _of_pods(found, services, api, others)
        if not found:
            reason = f"{VARIABLE} is not set, and no pod's environment holds one"
            raise CannotRead("database login", "; ".join(withheld.values()) or reason)
        return cls(found, "; ".join(dict.fromkeys(sources)), tuple(withheld.values()))


def _of_pods(
    found: dict[str, tuple[Login, ...]], services: Services, api: KubeApi | CannotRead, others: list[PostgresServer]
) -> list[str]:
    """Add a login for each of these servers that a pod's environment has one for; where they came from."""
    if isinstance(api, CannotRead):
        if found:
            return []
        raise CannotRead("database login", f"{VARIABLE} is not set, and the API server cannot be asked")
    names, sources = {server.name for server in others}, []
    pods = api.get("/api/v1/pods")["items"]
    for service in services.items:
        if str(service) in names:
            for source, one in _candidates(api, pods, service):
                found[str(service)] = (one,)
                sources.append(source)
                break
    return sources


def is_its_service(server: str, objects: ModuleObjects | None, services: Services) -> bool:
    """Whether a server is a Service of these objects, in their own namespace, that leads to pods alone."""
    namespace, _, name = server.rpartition("/")
    described = objects.named("Service", namespace, name) if objects and namespace else None
    there = services.named(namespace, name) if namespace else None
    if objects is None or described is None or there is None:
        return False
    spec = described.get("spec") or {}
    mine = {str(o["metadata"].get("namespace", "default")) for o in objects.gateways}
    own = namespace in mine if objects.deployed else namespace == own_namespace(objects.objects)
    return bool(own and spec.get("type") != "ExternalName" and spec.get("selector") and there.selector)


def meant_by(url: str, servers: Sequence[PostgresServer], services: Services) -> tuple[tuple[str, ...], str]:
    """The servers that a URL is for; or none, and why in a sentence.

    It names one by address, by name.namespace, or by a name that exactly one Service of the cluster has.
    """
    host, port = _end_of(url)
    name, _, namespace = host.partition(".")
    if namespace or ":" in host or not host:
        fitting = [s for s in servers if host in (s.address, s.name) or f"{namespace}/{name}" == s.name]
    else:
        same = [s for s in services.items if s.name == name and any(p.port == port for p in s.ports)]
        if len(same) > 1:
            listed = ", ".join(f"{s.name}.{s.namespace}" for s in same[:5])
            return (
                (),
                f"{VARIABLE} is not used: {len(same)} Services have the name {name} ({listed}): add the namespace",
            )
        fitting = [s for s in servers if s.name in [name, *(str(one) for one in same)]]
    meant = tuple(s.name for s in fitting if host and s.port == port)
    return meant, "" if meant else f"{VARIABLE} names another host than a Postgres Service"


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
    remember_url(url)
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


def _candidates(api: KubeApi, pods: list[dict[str, Any]], service: Service) -> Iterator[tuple[str, Login]]:
    """Logins for a Service in the pods' environments, those of its own namespace first."""
    near = [pod for pod in pods if pod["metadata"]["namespace"] == service.namespace]
    for pod in (*near, *(pod for pod in pods if pod["metadata"]["namespace"] != service.namespace)):
        url, meta = _environment(api, pod).get("DATABASE_URL", ""), pod["metadata"]
        if url and _names(url, service, meta["namespace"]):
            try:
                yield f"DATABASE_URL of pod {meta['namespace']}/{meta['name']}", parse_url(url)
            except BadInput:
                continue
    for pod in near:
        meta = pod["metadata"]
        if service.selector and service.selector.items() <= (meta.get("labels") or {}).items():
            environment = _environment(api, pod)
            if password := environment.get("POSTGRES_PASSWORD"):
                user = environment.get("POSTGRES_USER", "postgres")
                login = Login(user, password, environment.get("POSTGRES_DB", user))
                yield f"POSTGRES_* of pod {meta['namespace']}/{meta['name']}", login


def _names(url: str, service: Service, namespace: str) -> bool:
    """Whether a URL in a pod of this namespace names this Service."""
    host, port = _end_of(url)
    full = host if "." in host or ":" in host else f"{host}.{namespace}"
    return (
        bool(host) and full in (f"{service.name}.{service.namespace}", service.cluster_ip) and port == port_of(service)
    )


def _end_of(url: str) -> tuple[str, int]:
    """Host, without the cluster's own domain, and port of a URL; ("", 0) for what is none."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port or POSTGRES_PORT
    except ValueError:
        return "", 0
    return host.removesuffix(".svc.cluster.local").removesuffix(".svc"), port


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
