"""What the variables of this node's pods name: Services, the pod itself, a database; no value of a variable is kept.

Most applications are told by a variable whom to call. What a pod's specification says is read, and for the variables
that name a database the Secret or ConfigMap behind them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import pod_of
from netdoctor.facts.gateways.gateway_objects import REFERENCE as REFERENCES
from netdoctor.facts.gateways.gateway_objects import data_of, environment_of, fetch, readable
from netdoctor.facts.gateways.named_hosts import DATABASES, HOSTS, NamedHost, named_host
from netdoctor.facts.node.proxy_variables import NAMES as PROXY_NAMES
from netdoctor.facts.node.proxy_variables import proxy_for
from netdoctor.shell import command
from netdoctor.system.kube_api import KubeApi

PORT_USED = re.compile(r"\$[({]?([A-Z][A-Z0-9_]*_PORT)\b")
POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
MOST = 8  # Secrets and ConfigMaps that are read


@dataclass(frozen=True, slots=True)
class Proxied:
    """A Service of the cluster that a container asks through a proxy, because NO_PROXY does not have its name."""

    container: str
    variable: str  # which names it, "" for the API server
    host: str
    proxy: str  # host:port


@dataclass(frozen=True, slots=True)
class PodEnvironment:
    """What the variables of one pod name."""

    namespace: str
    pod: str
    uid: str
    host_network: bool
    fails: bool  # whether it is not ready, or a container of it has restarted and was not ready lately
    service_links: bool  # whether the kubelet gives it variables for each Service of its namespace
    hosts: tuple[NamedHost, ...]
    refers_to: tuple[tuple[str, str], ...]  # container, and a variable NAME_PORT that it uses and does not define
    owner: str = ""
    dns_policy: str = ""  # one of POLICIES; "" where it is not known
    proxied: tuple[Proxied, ...] = ()  # Services that are asked through a proxy

    @property
    def uses_node_resolvers(self) -> bool:
        """Whether the kubelet gives it the node's resolv.conf instead of the cluster's DNS."""
        return self.dns_policy == "Default" or (self.host_network and self.dns_policy == "ClusterFirst")

    def __str__(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.pod}"


def where_to_edit(environment: PodEnvironment) -> tuple[str, ...]:
    """The command by which a person edits the variables of a pod: in what makes the pod, where that is known."""
    kind, _, name = environment.owner.partition("/")
    if kind == "ReplicaSet":
        return command("kubectl -n {} edit deployment/{}", environment.namespace, name.rpartition("-")[0])
    if kind in ("StatefulSet", "DaemonSet"):
        return command("kubectl -n {} edit {}", environment.namespace, f"{kind.lower()}/{name}")
    return command("kubectl -n {} get pod/{} -o yaml", environment.namespace, environment.pod)


@dataclass(frozen=True, slots=True)
class PodEnvironments:
    """hosts that the variables of pods name"""

    added_later: ClassVar[bool] = True

    items: tuple[PodEnvironment, ...]

    @classmethod
    def collect(cls, api: KubeApi, this: ThisNode, services: Services) -> PodEnvironments:
        """Of each pod on this node that is not about to end."""
        listed = api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={this.name}")["items"]
        everything = (*services.items, *services.headless)
        of_api = services.named("default", "kubernetes")
        names = _Names(
            frozenset(s.namespace for s in everything),
            frozenset(s.name for s in everything),
            of_api.cluster_ip if of_api else "",
        )
        read = _reader(api)
        found = [_environment(item, names, read) for item in listed if _runs(item)]
        return cls(tuple(each for each in found if each.hosts or each.refers_to or each.proxied))


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of the cluster's Services, and the namespaces that they are in."""

    namespaces: frozenset[str]
    services: frozenset[str]
    api: str = ""  # address of the API server's Service, which clients inside the cluster ask


Read = Callable[[str, str, str], Mapping[str, str]]


def _reader(api: KubeApi) -> Read:
    """What is in a Secret or ConfigMap of a namespace; nothing once MOST were read, or where it may not be read."""
    left = iter(range(MOST))

    @cache
    def read(namespace: str, kind: str, name: str) -> Mapping[str, str]:
        if namespace.startswith("kube-") or next(left, None) is None:
            return {}
        key = f"{kind}/{namespace}/{name}"
        try:
            there = fetch(api, key)
            return data_of(readable(there, key)) if there else {}
        except CannotRead:
            return {}

    return read


def _runs(item: Mapping[str, Any]) -> bool:
    ended = item.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and "deletionTimestamp" not in item["metadata"] and not pod_of(item).is_ours


def _environment(item: Mapping[str, Any], names: _Names, read: Read) -> PodEnvironment:
    pod, spec = pod_of(item), item.get("spec", {})
    policy = spec.get("dnsPolicy", POLICIES[0])
    aliases = _host_aliases(spec)
    hosts: list[NamedHost] = []
    refers: list[tuple[str, str]] = []
    proxied: list[Proxied] = []
    for container in _containers(spec):
        own = list(_hosts(container, pod.namespace, names, read))
        hosts += own
        proxied += _proxied(container, own, names.api if _uses_the_api(spec) else "")
        refers += [(container["name"], name) for name in _references(container)]
    return PodEnvironment(
        namespace=pod.namespace,
        pod=pod.name,
        uid=pod.uid,
        host_network=pod.host_network,
        fails=not pod.ready,
        service_links=spec.get("enableServiceLinks", True) is not False,
        hosts=tuple(named for named in hosts if named.host not in aliases),  # those it looks up in its /etc/hosts
        refers_to=tuple(refers),
        owner=pod.owner,
        dns_policy=policy if policy in POLICIES else "",
        proxied=tuple(proxied),
    )


def _containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _host_aliases(spec: Mapping[str, Any]) -> set[str]:
    """The names that stand in the pod's /etc/hosts."""
    found: set[str] = set()
    for alias in spec.get("hostAliases") or ():
        found.update(alias.get("hostnames") or ())
    return found


def _hosts(container: Mapping[str, Any], namespace: str, names: _Names, read: Read) -> Iterator[NamedHost]:
    """The hosts of the cluster that a container's variables name, each once."""
    seen = set()
    for variable, value in _values(container, namespace, read).items():
        named = named_host(container["name"], variable, value)
        if named and (named.host, named.problem) not in seen and _is_told(named, names):
            seen.add((named.host, named.problem))
            yield named


def _values(container: Mapping[str, Any], namespace: str, read: Read) -> Mapping[str, str]:
    """The values of variables whose names are a host's: as they stand, or those of databases from where they stand."""
    variables = container.get("env") or ()
    named = [variable for variable in variables if _names_a_host(variable)]
    written = {variable["name"] for variable in named}
    asked = _with_what_they_use(named, variables)
    sources = container.get("envFrom") or () if written.isdisjoint(DATABASES) else ()
    found = environment_of({"env": asked, "envFrom": sources}, lambda kind, name: read(namespace, kind, name))
    return {name: value for name, value in found.items() if name in written or name in DATABASES}


def _with_what_they_use(
    named: Sequence[Mapping[str, Any]], variables: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """These variables and those that their values refer to, in the order of the container's."""
    used = {name for variable in named for name in REFERENCES.findall(str(variable.get("value", "")))}
    return [variable for variable in variables if variable in named or variable["name"] in used]


def _names_a_host(variable: Mapping[str, Any]) -> bool:
    """Whether a variable is a database's, or is written out and has a name as hosts have."""
    return variable["name"] in DATABASES or ("value" in variable and bool(HOSTS.fullmatch(variable["name"])))


def _is_told(named: NamedHost, names: _Names) -> bool:
    """Whether it is the cluster's own affair, and no host outside: the pod itself, or a name that Services have."""
    if named.is_itself:  # of another variable it may be where the program itself listens
        return named.is_database
    if named.problem:
        return True
    name, *rest = named.host.rstrip(".").split(".")
    inside = not rest or rest[1:2] == ["svc"] or (len(rest) == 1 and rest[0] in names.namespaces)
    return inside and name in names.services


def _proxied(container: Mapping[str, Any], hosts: Sequence[NamedHost], api: str) -> Iterator[Proxied]:
    """Which of these hosts, and of `api`, a container asks through a proxy, by the variables that are written out."""
    written = {v["name"]: str(v["value"]) for v in container.get("env") or () if "value" in v}
    variables = {name: value for name, value in written.items() if name.lower() in PROXY_NAMES}
    for named in hosts:
        if proxy := proxy_for(named.scheme, named.host, variables):
            yield Proxied(container["name"], named.variable, named.host, proxy)
    proxy = proxy_for("https", api, variables) if api else ""
    if proxy:
        yield Proxied(container["name"], "", api, proxy)


def _uses_the_api(spec: Mapping[str, Any]) -> bool:
    """Whether it has an account of its own, with a token."""
    has_token = spec.get("automountServiceAccountToken") is not False
    return has_token and spec.get("serviceAccountName", "default") != "default"


def _references(container: Mapping[str, Any]) -> Iterator[str]:
    """Variables NAME_PORT that a container uses in its command or variables and does not define itself."""
    if container.get("envFrom"):  # it may hold them
        return
    variables = container.get("env") or ()
    texts = [str(v.get("value", "")) for v in variables]
    texts += [str(word) for key in ("command", "args") for word in container.get(key) or ()]
    defined = {v["name"] for v in variables}
    used = [name for text in texts for name in PORT_USED.findall(text)]
    yield from (name for name in dict.fromkeys(used) if name not in defined)
