"""A module's provider does not accept connections.

## What it checks
A TCP connection from a test pod to each host and port that a module's config calls. No request is made, and no key is
sent. Where a module's environment names a proxy (`HTTPS_PROXY`, `NO_PROXY`), the proxy is tested instead of the
provider.

## Why it matters
The module is up and lists its models, but every call ends in `APIConnectionError` after some seconds.

## By hand
`nsenter --net=/proc/PID/ns/net nc -vz HOST PORT`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.gateways import Modules, needed
from netdoctor.facts.traffic.providers import Provider, Providers
from netdoctor.facts.traffic.vantage import pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command


@probe(
    area=Area.GATEWAYS,
    healthy="the providers accept connections",
)
def provider_unreachable(
    modules: Modules | CannotRead, providers: Providers | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Providers with an address, and without a connection."""
    known = needed(modules)
    if isinstance(providers, CannotRead):
        raise providers
    refused = [p for p in providers.items if p.resolved and not p.reached]
    unresolved = [p.name for p in providers.items if not p.resolved]
    if unresolved and not refused:
        raise CannotRead("providers", f"{', '.join(unresolved)} has no address to connect to")
    for provider in refused:
        port = provider.name.rpartition(":")[2]
        whose = f"the {known.role_of(provider.name)} of {', '.join(provider.modules)}"
        yield Finding(
            f"{provider.name}, {whose}, does not accept connections: {provider.connection}",
            (_refused(provider, port),),
            Subject(node=this.name, namespace=known.namespace, upstream=provider.name),
            confidence=Confidence.CONFIRMED,
            by_hand=command("nc -vz -w 3 {} {}", provider.address, port),
        )


def _refused(provider: Provider, port: str) -> Evidence:
    data = Values(pod=pod_of(provider.vantage), address=provider.address, port=int(port), name=provider.name)
    return Evidence(f"{provider.vantage} -> {provider.address}:{port}", str(provider.connection), "connected", data)
