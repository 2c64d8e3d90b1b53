"""The hosts outside of the cluster that facts name: the API server, registries, providers, databases, proxies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from netdoctor.facts.cluster.kubelet_proxy import KubeletProxy
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.gateways.images import Images, normal, registry_of
from netdoctor.facts.gateways.pod_environments import PodEnvironments
from netdoctor.facts.traffic.providers import Providers
from netdoctor.system.kube_api import KubeApi


def outside_names(known: Mapping[type, object]) -> set[str]:
    """Their names, without ports; a name without a dot may be a Service's, and is one only of the API server."""
    dotted = {host for host in _named(known) if "." in host}
    return dotted | ({server} if (server := _server(known)) else set())


def _server(known: Mapping[type, object]) -> str:
    api = known.get(KubeApi)
    if not isinstance(api, KubeApi):
        return ""
    try:
        return urlsplit(api.server).hostname or ""
    except ValueError:
        return ""


def _named(known: Mapping[type, object]) -> Iterator[str]:
    modules, images, providers = known.get(Modules), known.get(Images), known.get(Providers)
    if isinstance(modules, Modules):
        yield from (_host(registry_of(normal(image.name))) for image in modules.images if image.name)
        yield from (_host(provider) for provider in modules.providers)
        for gateway in modules.gateways:
            if gateway.database and not gateway.database.service(gateway.namespace)[1]:
                yield gateway.database.host.rstrip(".")
    yield from map(_host, _proxies(known))
    if isinstance(images, Images):
        yield from (_host(registry_of(image.name)) for image in images.items)
    if isinstance(providers, Providers):
        yield from (_host(provider.name) for provider in providers.items)


def _proxies(known: Mapping[type, object]) -> Iterator[str]:
    """The proxies of the kubelet and of pods."""
    kubelet, environments = known.get(KubeletProxy), known.get(PodEnvironments)
    if isinstance(kubelet, KubeletProxy):
        yield from (kubelet.proxy, kubelet.server)
    if isinstance(environments, PodEnvironments):
        yield from (each.proxy for environment in environments.items for each in environment.proxied)


def _host(name: str) -> str:
    """Without the port."""
    host, colon, port = name.rpartition(":")
    return host if colon and port.isdecimal() else name
