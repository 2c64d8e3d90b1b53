"""What of a fact a recording needs: labels that a selector names, no list of images, no line of a strange log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from netdoctor.facts.cluster.kube_proxy_pod import HASH
from netdoctor.facts.cluster.last_ends import LastEnds
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.cluster.workloads import OURS_LABEL, Nodes, Pod, Pods, Workload, Workloads
from netdoctor.facts.gateways.gateway_ends import GatewayEnds
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.gateways.network_policies import METADATA_NAME, NetworkPolicies
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals
from netdoctor.facts.traffic.vantage import VantagePoint, VantagePoints

L = TypeVar("L", Pod, Workload)  # what has labels
ALWAYS = frozenset((OURS_LABEL, "k8s-app", HASH, METADATA_NAME))


def judged_labels(known: Mapping[type, object]) -> frozenset[str]:
    """The keys of the labels that selectors and probes look at."""
    found = set(ALWAYS)
    services, policies, modules = known.get(Services), known.get(NetworkPolicies), known.get(Modules)
    if isinstance(services, Services):
        found |= {key for service in services.items for key in service.selector}
    if isinstance(policies, NetworkPolicies):
        found |= {key for policy in policies.items for key in _selected(policy.spec)}
    if isinstance(modules, Modules):
        found |= {key for gateway in modules.gateways for key in gateway.labels}
    return frozenset(found)


def needed(fact: Any, labels: frozenset[str]) -> Any:
    """The fact without what nothing judges."""
    if isinstance(fact, Pods):
        return replace(fact, items=_with_judged_labels(fact.items, labels))
    if isinstance(fact, Workloads):
        return replace(fact, items=_with_judged_labels(fact.items, labels))
    if isinstance(fact, Translated):
        return replace(fact, ends=())  # what of them is stale is recorded
    if isinstance(fact, Nodes):
        return replace(fact, items=tuple(replace(node, images=()) for node in fact.items))
    if isinstance(fact, NetworkPolicies):
        return _with_judged_namespaces(fact, labels)
    if isinstance(fact, (LastEnds, GatewayEnds, SandboxRefusals)):
        return fact.without_unknown_words()
    if isinstance(fact, VantagePoints):
        return replace(fact, points=tuple(_judged_point(point, labels) for point in fact.points))
    return fact


def _judged(held: Mapping[str, str], labels: frozenset[str]) -> dict[str, str]:
    return {key: value for key, value in held.items() if key in labels}


def _with_judged_namespaces(policies: NetworkPolicies, labels: frozenset[str]) -> NetworkPolicies:
    namespaces = {name: _judged(held, labels) for name, held in policies.namespaces.items()}
    return replace(policies, namespaces=namespaces)


def _with_judged_labels(items: tuple[L, ...], labels: frozenset[str]) -> tuple[L, ...]:
    return tuple(replace(each, labels=_judged(each.labels, labels)) for each in items)


def _judged_point(point: VantagePoint, labels: frozenset[str]) -> VantagePoint:
    return replace(point, labels=tuple(_judged(dict(point.labels), labels).items()))


def _selected(value: Any) -> Iterator[str]:
    """The keys that the selectors in a policy name."""
    if isinstance(value, Mapping):
        named = value.get("matchLabels")
        yield from map(str, named if isinstance(named, Mapping) else ())
        if isinstance(value.get("operator"), str):
            yield str(value.get("key", ""))
        for item in value.values():
            yield from _selected(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _selected(item)
