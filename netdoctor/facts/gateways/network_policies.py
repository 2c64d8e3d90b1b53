"""NetworkPolicies, and what they mean: who may talk to whom, by the objects alone.

A pod that no policy selects for a direction is open in it; one that is selected may do what the rules of all those
policies together allow. Both ends have to allow a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.gateway_objects import ModuleObjects
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.system.foreign_text import to_address, to_network
from netdoctor.system.kube_api import KubeApi

EGRESS, INGRESS = "Egress", "Ingress"
PEERS = {EGRESS: "to", INGRESS: "from"}
FIELDS = frozenset((
    "policyTypes", "podSelector", "namespaceSelector", "matchLabels", "matchExpressions", "key", "operator", "values",
    "ingress", "egress", "from", "to", "ports", "protocol", "port", "endPort", "ipBlock", "cidr", "except",
))  # fmt: skip
METADATA_NAME = "kubernetes.io/metadata.name"  # a label that every namespace has


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy."""

    namespace: str
    name: str
    spec: Mapping[str, Any]

    def __str__(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def directions(self) -> tuple[str, ...]:
        """What it restricts, with the API server's default where it does not say."""
        said = tuple(self.spec.get("policyTypes") or ())
        return said or ((INGRESS, EGRESS) if self.spec.get("egress") else (INGRESS,))


@dataclass(frozen=True, slots=True)
class Place:
    """An end of a connection: a pod, or an address outside of the cluster."""

    name: str
    address: str = ""
    namespace: str = ""  # "" for outside
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[tuple[str, str, int], ...] = ()  # name, protocol, number


@dataclass(frozen=True, slots=True)
class NetworkPolicies:
    """NetworkPolicies"""

    items: tuple[Policy, ...]
    namespaces: Mapping[str, Mapping[str, str]]  # labels by name

    @classmethod
    def collect(
        cls, api: KubeApi, modules: Modules | CannotRead, objects: ModuleObjects | CannotRead
    ) -> NetworkPolicies:
        """All in the cluster; those of the same name among the modules' manifests take their place."""
        live = api.get("/apis/networking.k8s.io/v1/networkpolicies")["items"]
        known = () if isinstance(objects, CannotRead) else objects.objects
        described = [o for o in known if o.get("kind") == "NetworkPolicy"]
        found = {str(p): p for p in map(policy_of, [*live, *described])}
        listed = api.get("/api/v1/namespaces")["items"] if found else []
        labels = _labels_of(listed)
        for name, held in _labels_of(o for o in known if o.get("kind") == "Namespace").items():
            labels[name] = {METADATA_NAME: name, **held}
        if isinstance(modules, Modules):
            labels.setdefault(modules.namespace, {METADATA_NAME: modules.namespace})
        return cls(tuple(found.values()), labels)

    def allows(self, source: Place, target: Place, protocol: str, port: int) -> tuple[bool, tuple[Policy, ...]]:
        """Whether a connection is allowed, and if not, the policies of the end that does not allow it."""
        for direction, mine, other in ((EGRESS, source, target), (INGRESS, target, source)):
            isolating = self.isolating(mine, direction)
            if isolating and not any(self._rule(p, direction, other, target, protocol, port) for p in isolating):
                return False, isolating
        return True, ()

    def isolating(self, place: Place, direction: str) -> tuple[Policy, ...]:
        """The policies that restrict a pod in this direction."""
        return tuple(p for p in self.items if direction in p.directions and selects(p, place))

    def _rule(self, policy: Policy, direction: str, other: Place, target: Place, protocol: str, port: int) -> bool:
        for rule in policy.spec.get(direction.lower()) or ():
            peers, ports = rule.get(PEERS[direction]) or (), rule.get("ports") or ()
            to_peer = not peers or any(self._peer(policy, peer, other) for peer in peers)
            if to_peer and (not ports or any(covers_port(p, target, protocol, port) for p in ports)):
                return True
        return False

    def _peer(self, policy: Policy, peer: Mapping[str, Any], other: Place) -> bool:
        if block := peer.get("ipBlock"):
            return in_block(block, other.address)
        if not other.namespace:
            return False
        if "namespaceSelector" in peer:
            labels = self.namespaces.get(other.namespace, {METADATA_NAME: other.namespace})
            near = matches(peer["namespaceSelector"] or {}, labels)
        else:
            near = other.namespace == policy.namespace
        return near and matches(peer.get("podSelector") or {}, other.labels)


def _labels_of(namespaces: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
    return {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in namespaces}


def policy_of(obj: Mapping[str, Any]) -> Policy:
    """A policy from the API's object."""
    meta = obj["metadata"]
    return Policy(meta.get("namespace", "default"), meta["name"], judged(obj.get("spec") or {}))


def judged(spec: Any) -> Any:
    """The fields of a policy's spec that are looked at."""
    if isinstance(spec, Mapping):
        return {key: item if key == "matchLabels" else judged(item) for key, item in spec.items() if key in FIELDS}
    return [judged(item) for item in spec] if isinstance(spec, (list, tuple)) else spec


def selects(policy: Policy, place: Place) -> bool:
    """Whether the policy is about this pod."""
    return place.namespace == policy.namespace and matches(policy.spec.get("podSelector") or {}, place.labels)


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A label selector; an empty one picks everything."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(_expressions(selector.get("matchExpressions") or (), labels))


def _expressions(expressions: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> Iterator[bool]:
    for one in expressions:
        key, values = one["key"], one.get("values") or ()
        yield {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(one["operator"], False)


def in_block(block: Mapping[str, Any], address: str) -> bool:
    """Whether an ipBlock holds the address; one that is not known is in none."""
    try:
        where = to_address(address)
        inside = where in to_network(block["cidr"])
        return inside and not any(where in to_network(e) for e in block.get("except") or ())
    except ValueError as error:
        if address:
            raise CannotRead("NetworkPolicies", "an ipBlock that does not hold a network") from error
        return False


def covers_port(said: Mapping[str, Any], target: Place, protocol: str, port: int) -> bool:
    """Whether a rule's port is this one of the target's: by number, range or name; without one every port."""
    if said.get("protocol", "TCP") != protocol:
        return False
    number: int | str | None = said.get("port")
    if number is None:
        return True
    if isinstance(number, str):
        return (number, protocol, port) in target.ports
    return number <= port <= int(said.get("endPort") or number)
