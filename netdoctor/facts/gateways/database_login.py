"""Who to log in as at Postgres. Held in memory only: this is not a dataclass of facts, which a recording would keep."""

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
        found, withheld = _of_own_services(servers, known, services)
        sources = ["the modules' own"] if found else []
        others = [server for server in servers.items if server.name not in found]
        given = os.environ.get(VARIABLE, "")
        if given:
            meant, source = _of_variable(given, others, services, needed=not found)
            found |= meant
            sources.append(source)
            for server in meant:
                withheld.pop(server, None)
        elif others and (known is None or known.deployed):  # manifests get no password that they do not name
            sources += _of_pods(found, services, api, others)
        if not found:
            reason = f"{VARIABLE} is not set, and no pod's environment holds one"
            raise CannotRead("database login", "; ".join(withheld.values()) or reason)
        return cls(found, "; ".join(dict.fromkeys(sources)), tuple(withheld.values()))


def _of_own_services(
    servers: PostgresServers, objects: ModuleObjects | None, services: Services
) -> tuple[dict[str, tuple[Login, ...]], dict[str, str]]:
    """The modules' logins at Services of their own, and for each other server why no password is sent to it."""
    found: dict[str, tuple[Login, ...]] = {}
    withheld: dict[str, str] = {}
    for server, logins in (of_modules(servers, objects) if objects else {}).items():
        if is_its_service(server, objects, services):
            found[server] = logins
            continue
        modules = ", ".join(module for login in logins for module in login.modules)
        withheld[server] = (
            f"the password of {modules} is not sent to {server}: it is not a Service of the manifests in their own "
            f"namespace that selects pods; {VARIABLE} may hold a login for it"
        )
    return found, withheld


def _of_variable(
    url: str, servers: Sequence[PostgresServer], services: Services, *, needed: bool
) -> tuple[dict[str, tuple[Login, ...]], str]:
    """The login of VARIABLE for each server that it is meant for; and where it came from, or why it is not used.

    Raises BadInput, and CannotRead where the only login is one that is not used (`needed`).
    """
    login = parse_url(url)
    meant, reason = meant_by(url, servers, services)
    if reason and needed:
        raise CannotRead("database login", reason)
    return {name: (login,) for name in meant}, reason or VARIABLE


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
    if objects is None or not namespace:
        return False
    described, there = objects.named("Service", namespace, name), services.named(namespace, name)
    if described is None or there is None or not _is_own_namespace(namespace, objects):
        return False
    spec = described.get("spec") or {}
    return bool(spec.get("type") != "ExternalName" and spec.get("selector") and there.selector)


def _is_own_namespace(namespace: str, objects: ModuleObjects) -> bool:
    """Whether gateways are in this namespace; in manifests, whether the first one is."""
    if not objects.deployed:
        return namespace == own_namespace(objects.objects)
    return any(namespace == str(o["metadata"].get("namespace", "default")) for o in objects.gateways)


def meant_by(url: str, servers: Sequence[PostgresServer], services: Services) -> tuple[tuple[str, ...], str]:
    """The servers that a URL is for; or none, and why in a sentence.

    It names one by address, by name.namespace, or by a name that exactly one Service of the cluster has.
    """
    host, port = _end_of(url)
    name, _, namespace = host.partition(".")
    if namespace or ":" in host:
        names = [host, f"{namespace}/{name}"]
    else:
        same = _services_of(name, port, services)
        if len(same) > 1:
            return (), _ambiguous(name, same)
        names = [name, *map(str, same)]
    reachable = [server for server in servers if host and server.port == port]
    meant = tuple(s.name for s in reachable if s.name in names or s.address in names)
    return meant, "" if meant else f"{VARIABLE} names a host that is not a Postgres Service"


def _ambiguous(name: str, same: list[Service]) -> str:
    listed = ", ".join(f"{s.name}.{s.namespace}" for s in same[:5])
    return f"{VARIABLE} is not used: {len(same)} Services have the name {name} ({listed}): add the namespace"


def _services_of(name: str, port: int, services: Services) -> list[Service]:
    """The Services of any namespace that have this name and this port."""
    return [s for s in services.items if s.name == name and any(p.port == port for p in s.ports)]


def of_modules(servers: PostgresServers, objects: ModuleObjects) -> dict[str, tuple[Login, ...]]:
    """The logins of the gateways at each server, one for all that log in the same way; without a password none."""
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
        raise BadInput(f"{VARIABLE} is not a usable postgresql:// URL with a user")
    query = dict(item.split("=", 1) for item in parts.query.split("&") if "=" in item)
    if query.get("sslmode", "prefer") not in SSL_MODES:
        raise BadInput(f"{VARIABLE} has an sslmode that libpq does not know")
    return Login(
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")) or "postgres",
        sslmode=query.get("sslmode", "prefer"),
    )


def _candidates(api: KubeApi, pods: list[dict[str, Any]], service: Service) -> Iterator[tuple[str, Login]]:
    """Logins for a Service in the pods' environments, those of its own namespace first."""
    near = [pod for pod in pods if pod["metadata"]["namespace"] == service.namespace]
    far = [pod for pod in pods if pod["metadata"]["namespace"] != service.namespace]
    yield from _of_clients(api, [*near, *far], service)
    yield from _of_servers(api, near, service)


def _of_clients(api: KubeApi, pods: list[dict[str, Any]], service: Service) -> Iterator[tuple[str, Login]]:
    """The logins in the URLs of pods that ask this Service."""
    for pod in pods:
        url, meta = _environment(api, pod).get("DATABASE_URL", ""), pod["metadata"]
        if url and _names(url, service, meta["namespace"]):
            try:
                yield f"DATABASE_URL of pod {meta['namespace']}/{meta['name']}", parse_url(url)
            except BadInput:
                continue


def _of_servers(api: KubeApi, pods: list[dict[str, Any]], service: Service) -> Iterator[tuple[str, Login]]:
    """The logins that the pods behind this Service were set up with."""
    for pod in pods:
        meta = pod["metadata"]
        if not service.selector or not service.selector.items() <= (meta.get("labels") or {}).items():
            continue
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
