"""The name of a module's provider does not resolve.

## What it checks
A query to the pods' resolver from a test pod for each host that a module's config calls (`api_base`, or the model's
usual address): the full name, then with the search list.

## Why it matters
The module is up and lists its models, but every call ends in `APIConnectionError`.

## By hand
`nsenter --net=/proc/PID/ns/net dig @10.96.0.10 PROVIDER`; `kubectl get configmap -n litellm -o yaml | grep api_base`.
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
    healthy="the providers' names resolve",
)
def provider_name_unresolved(
    modules: Modules | CannotRead, providers: Providers | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Providers without an address."""
    known = needed(modules)
    if isinstance(providers, CannotRead):
        raise providers
    unresolved = [p for p in providers.items if not p.resolved]
    if not unresolved and known.problems and not all(g.models for g in known.gateways):
        raise CannotRead("the modules' configs", known.problems[0])
    for provider in unresolved:
        whose = f"the {known.role_of(provider.name)} of {', '.join(provider.modules)}"
        yield Finding(
            f"{provider.host}, {whose}, does not resolve: {provider.lookup}",
            (_evidence(provider),),
            Subject(node=this.name, namespace=known.namespace, upstream=provider.name),
            confidence=Confidence.CONFIRMED,
            by_hand=_by_hand(provider, known.namespace),
        )


def _evidence(provider: Provider) -> Evidence:
    data = Values(pod=pod_of(provider.vantage), address=provider.server, port=53, protocol="udp", name=provider.host)
    asked = f"{provider.vantage} -> {provider.server}:53/udp {provider.host}"
    return Evidence(asked, str(provider.lookup), "an address", data)


def _by_hand(provider: Provider, namespace: str) -> tuple[str, ...]:
    """Ask the same server for the same name from the node, and look where the modules get it from."""
    return (
        *command("dig @{} {}", provider.server, provider.host),
        *command("kubectl -n {} get configmaps -o yaml | grep -nF {}", namespace, provider.host),
    )
