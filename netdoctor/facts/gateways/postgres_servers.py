"""Which Postgres is asked: every Service that offers it, and whatever the modules name as their database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import POSTGRES_PORT, Service, Services
from netdoctor.facts.cluster.workloads import Workloads
from netdoctor.facts.gateways.gateway_objects import ModuleObjects, template_of
from netdoctor.facts.gateways.gateways import Gateway, Modules
from netdoctor.facts.gateways.scope import Scope
from netdoctor.system.foreign_text import is_address


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One Postgres, as a client names it."""

    name: str  # namespace/name of its Service, else the host's name
    address: str  # the ClusterIP; "" for what the name resolves to
    port: int
    modules: tuple[str, ...] = ()

    def host(self, cluster_domain: str) -> str:
        """Its full name in the DNS."""
        namespace, _, name = self.name.rpartition("/")
        return f"{name}.{namespace}.svc.{cluster_domain}." if namespace else f"{name.removesuffix('.')}."


@dataclass(frozen=True, slots=True)
class PostgresServers:
    """places where Postgres is expected"""

    items: tuple[PostgresServer, ...]
    later: tuple[str, ...]  # namespace/name of the modules' Services that the deployment brings

    @classmethod
    def collect(
        cls,
        services: Services,
        workloads: Workloads | CannotRead,
        objects: ModuleObjects | CannotRead,
        modules: Modules | CannotRead,
        scope: Scope,
    ) -> PostgresServers:
        """Those of the modules, and beside them (for the gate: without any modules) every Service of Postgres."""
        found: dict[str, PostgresServer] = {}
        later: list[str] = []
        for gateway in modules.gateways if isinstance(modules, Modules) else ():
            server = server_of(gateway, services)
            if server is None:
                continue
            if not isinstance(objects, CannotRead) and comes_later(server.name, services, workloads, objects):
                later.append(server.name)
                continue
            known = found.get(server.name, server)
            users = dict.fromkeys((*known.modules, gateway.name))
            found[server.name] = PostgresServer(server.name, server.address, server.port, tuple(users))
        if not (scope.modules_only and (found or later)):
            for service in services.postgres:
                found.setdefault(str(service), PostgresServer(str(service), service.cluster_ip, port_of(service)))
        return cls(tuple(found.values()), tuple(dict.fromkeys(later)))

    def services(self, services: Services) -> tuple[Service, ...]:
        """Those that are Services of this cluster."""
        names = {server.name for server in self.items}
        return tuple(s for s in services.items if str(s) in names)


def server_of(gateway: Gateway, services: Services) -> PostgresServer | None:
    """The server of a gateway's database; None where it has none."""
    database = gateway.database
    if database is None:
        return None
    namespace, name = database.service(gateway.namespace)
    if not name:
        return PostgresServer(database.host, database.host if is_address(database.host) else "", database.port)
    service = services.named(namespace, name)
    if service is None and namespace not in {gateway.namespace, *(s.namespace for s in services.items)}:
        return PostgresServer(database.host, "", database.port)  # db.example: two words, and no namespace of ours
    return PostgresServer(f"{namespace}/{name}", service.cluster_ip if service else "", database.port)


def port_of(service: Service) -> int:
    """The port of a Service that is Postgres."""
    return next((p.port for p in service.ports if p.is_postgres), POSTGRES_PORT)


def comes_later(name: str, services: Services, workloads: Workloads | CannotRead, objects: ModuleObjects) -> bool:
    """Whether the deployment brings this Service, or the workload behind it, and the cluster has it not yet."""
    namespace, _, plain = name.partition("/")
    described = objects.named("Service", namespace, plain)
    if objects.deployed or described is None:
        return False
    service = services.named(namespace, plain)
    if service is None:
        return True
    selector = described["spec"].get("selector") or {}
    if isinstance(workloads, CannotRead) or not selector or workloads.behind(service):
        return False
    return any(selector.items() <= labels.items() for labels in _labels_of_pods(objects, namespace))


def _labels_of_pods(objects: ModuleObjects, namespace: str) -> Iterator[Mapping[str, str]]:
    """The labels of the pods that the Deployments and StatefulSets of a namespace make."""
    for workload in objects.of_kind("Deployment", "StatefulSet"):
        if workload["metadata"].get("namespace", "default") == namespace:
            yield (template_of(workload).get("metadata") or {}).get("labels") or {}
