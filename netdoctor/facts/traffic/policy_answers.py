"""What the NetworkPolicies let the modules do: ask the DNS, reach Postgres, call their providers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Service, Services
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.gateways.gateway_objects import ModuleObjects, containers_of, template_of
from netdoctor.facts.gateways.gateways import Gateway, Modules
from netdoctor.facts.gateways.network_policies import NetworkPolicies, Place
from netdoctor.facts.traffic.providers import Providers

ANYWHERE = "203.0.113.1"  # an address of nobody's (RFC 5737), for a provider whose own is not known
DNS, POSTGRES, PROVIDER = "the cluster DNS", "Postgres", "provider"


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """Whether a module may make a connection, and which policies keep it from it."""

    module: str
    target: str
    protocol: str
    port: int
    allowed: bool
    policies: tuple[str, ...]  # namespace/name


@dataclass(frozen=True, slots=True)
class PolicyAnswers:
    """what NetworkPolicies allow"""

    items: tuple[PolicyAnswer, ...]

    @classmethod
    def collect(
        cls,
        policies: NetworkPolicies,
        modules: Modules,
        objects: ModuleObjects,
        services: Services,
        pods: Pods,
        providers: Providers | CannotRead,
    ) -> PolicyAnswers:
        """Ask the policies for each module; a pod in the network of its host is not theirs."""
        if not policies.items:
            return cls(())
        known = None if isinstance(providers, CannotRead) else providers
        found = []
        for gateway in modules.gateways:
            if gateway.host_network:
                continue
            source = Place(gateway.name, "", gateway.namespace, gateway.labels)
            for target in _targets(gateway, objects, services, pods, known):
                found.append(_answer(policies, source, target))
        return cls(tuple(found))


@dataclass(frozen=True, slots=True)
class _Target:
    """What a module wants to reach."""

    name: str
    places: list[tuple[Place, int]]  # its pods, each with the port that it is asked at there
    protocol: str
    port: int  # that the module names


def _answer(policies: NetworkPolicies, source: Place, target: _Target) -> PolicyAnswer:
    """Allowed where one pod of the target may be reached; else with every policy that keeps the module away."""
    answers = [policies.allows(source, place, target.protocol, number) for place, number in target.places]
    allowed = any(ok for ok, _ in answers)
    blamed = () if allowed else tuple(dict.fromkeys(str(policy) for _, why in answers for policy in why))
    return PolicyAnswer(source.name, target.name, target.protocol, target.port, allowed, blamed)


def _targets(
    gateway: Gateway, objects: ModuleObjects, services: Services, pods: Pods, providers: Providers | None
) -> Iterator[_Target]:
    """The cluster DNS, Postgres and the providers of a module, as far as it is known where they are."""
    yield from _dns_targets(services, pods)
    if gateway.database:
        namespace, name = gateway.database.service(gateway.namespace)
        postgres = _postgres_target(namespace, name, gateway.database.port, objects, services, pods)
        if postgres.places:
            yield postgres
    proxies = {model.proxy for model in gateway.models}
    for name in dict.fromkeys(model.called for model in gateway.models if model.called):
        role = "proxy" if name in proxies else PROVIDER
        provider = _provider_target(role, name, services, pods, providers)
        if provider.places:
            yield provider


def _dns_targets(services: Services, pods: Pods) -> Iterator[_Target]:
    dns = services.cluster_dns
    if dns is None:
        return
    places = behind(dns, pods) or [Place(str(dns), "", dns.namespace, dns.selector)]
    for protocol in ("UDP", "TCP"):
        yield _Target(DNS, _at(places, dns.target_of(protocol, 53), protocol, 53), protocol, 53)


def _postgres_target(
    namespace: str, name: str, port: int, objects: ModuleObjects, services: Services, pods: Pods
) -> _Target:
    """The pods behind its Service, those that are there and those that the manifests bring."""
    places = described(objects, namespace, name)
    if service := services.named(namespace, name):
        places = [*behind(service, pods), *places]
        target = service.target_of("TCP", port)
    else:
        target = _described_target(objects, namespace, name, port)
    return _Target(POSTGRES, _at(places, target, "TCP", port), "TCP", port)


def _provider_target(role: str, name: str, services: Services, pods: Pods, providers: Providers | None) -> _Target:
    """A provider or proxy, host:port; the pods of a Service where its address is a ClusterIP."""
    host, _, number = name.rpartition(":")
    port = int(number)
    address = _address_of(name, providers)
    inside = next((s for s in services.items if s.cluster_ip == address), None)
    if inside:
        places = _at(behind(inside, pods), inside.target_of("TCP", port), "TCP", port)
    else:
        places = [(Place(host, address), port)]
    return _Target(f"{role} {name}", places, "TCP", port)


def _address_of(name: str, providers: Providers | None) -> str:
    """The address that a pod found for host:port, ANYWHERE where none is known."""
    known = next((p for p in providers.items if p.name == name), None) if providers else None
    return known.address if known and known.address else ANYWHERE


def _at(places: list[Place], target: str, protocol: str, port: int) -> list[tuple[Place, int]]:
    """Each place with the port that a policy sees: the pod's own, because the Service's is translated before."""
    if not target or target.isdecimal():
        return [(place, int(target or port)) for place in places]
    found = []
    for place in places:
        named = [number for name, its_protocol, number in place.ports if (name, its_protocol) == (target, protocol)]
        found.append((place, named[0] if named else port))
    return found


def _described_target(objects: ModuleObjects, namespace: str, name: str, port: int) -> str:
    """The pods' port behind this port of a Service in the manifests, by number or name; "" where it is the same."""
    service = objects.named("Service", namespace, name)
    for each in (service["spec"].get("ports") or ()) if service else ():
        if each.get("port") == port:
            return str(each.get("targetPort") or "")
    return ""


def places_behind(services: Services, pods: Pods, service: str, protocol: str, port: int) -> list[tuple[Place, int]]:
    """The pods of a Service, namespace/name, each with the port that a policy sees behind one of the Service's own."""
    namespace, _, name = service.partition("/")
    known = services.named(namespace, name)
    return _at(behind(known, pods), known.target_of(protocol, port), protocol, port) if known else []


def behind(service: Service, pods: Pods) -> list[Place]:
    """The pods of a Service."""
    return [_place(p) for p in pods.selected(service.namespace, service.selector) if not p.leaving and not p.is_ours]


def _place(pod: Pod) -> Place:
    return Place(f"{pod.namespace}/{pod.name}", next(iter(pod.addresses), ""), pod.namespace, pod.labels, pod.ports)


def described(objects: ModuleObjects, namespace: str, name: str) -> list[Place]:
    """The pods that the manifests put behind a Service, before they exist."""
    service = objects.named("Service", namespace, name)
    selector = (service["spec"].get("selector") or {}) if service else {}
    found = []
    for workload in objects.of_kind("Deployment", "StatefulSet") if selector else ():
        labels = (template_of(workload).get("metadata") or {}).get("labels") or {}
        if workload["metadata"].get("namespace", "default") == namespace and selector.items() <= labels.items():
            ports = tuple(_ports(containers_of(workload)))
            found.append(Place(f"{namespace}/{workload['metadata']['name']}", "", namespace, labels, ports))
    return found


def _ports(containers: Iterable[object]) -> Iterator[tuple[str, str, int]]:
    for container in containers:
        for port in (container.get("ports") or ()) if isinstance(container, dict) else ():
            yield port.get("name", ""), port.get("protocol", "TCP"), int(port["containerPort"])
