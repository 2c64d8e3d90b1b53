"""The two ends of a flow by the names that people have for them: a pod, a Service, this node, the outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.cluster.services import Service, ServicePort
from netdoctor.facts.cluster.workloads import Pod
from netdoctor.facts.traffic.node_network import MOST_PODS
from netdoctor.system.foreign_text import is_address, is_number, to_address
from netdoctor.tracing.end_names import (
    NODE_OBJECT,
    POD,
    SERVICE,
    EndName,
    end_name,
    nearest,
    port_and_protocol,
    port_number,
)
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.routes import routes
from netdoctor.twin.state import State
from netdoctor.twin.twin import NODE, OUTSIDE, Flow
from netdoctor.twin.wire.rtnl import Address

HOST = "host"
INTERNET, SOMEWHERE = "internet", "8.8.8.8"  # the address that is taken where any will do
DNS = 53
STRANGERS = {4: "192.0.2.1", 6: "2001:db8:ffff::1"}  # somebody far away: addresses that nobody has
SHOWN = 8  # names in a sentence


@dataclass(frozen=True, slots=True)
class FlowEnd:
    """One end: what it is called, and its address ("" where the kernel chooses one)."""

    label: str
    address: str
    port: int = 0
    protocol: str = ""  # of a Service's port, or what was asked for

    @property
    def in_service(self) -> bool:
        """Whether it is a ClusterIP."""
        return self.label.startswith("Service ")


@dataclass(frozen=True, slots=True)
class Known:
    """What a name can stand for."""

    state: State
    cluster: ClusterAddresses
    services: tuple[Service, ...]
    pods: tuple[Pod, ...]  # as the API server has them; none without it
    node: str
    lacking: tuple[str, ...] = ()  # what could not be read, and what the copy lacks for it

    def source(self, word: str) -> tuple[str, str]:
        """The namespace of the twin that a word means, and what it is called. Raises BadInput."""
        named = end_name(word)  # it is repeated in a sentence
        if named.port:
            raise BadInput(f"the kernel chooses the port of the source: write {named.name}")
        if named.kind == SERVICE:
            raise BadInput(f"Service {named.name} sends no packets: write one of its pods; {self._pod_names()}")
        if self._is_node(named):
            return NODE, "the node"
        if not named.kind and named.name in (OUTSIDE, INTERNET):
            return OUTSIDE, "the outside"
        name = self._by_address(named.name) if is_address(named.name) else self._captured(named.name)
        return name, f"pod {name}"

    def _is_node(self, named: EndName) -> bool:
        """Whether this node is meant. Raises BadInput for another node."""
        if named.kind == NODE_OBJECT and named.name != self.node:
            raise BadInput(f"node {named.name} is not the node that is copied: that is {self.node or 'not known'}")
        return named.kind == NODE_OBJECT or (not named.kind and named.name in (NODE, HOST))

    def _by_address(self, address: str) -> str:
        wanted = to_address(address)
        for pod in self.state.pods:
            if any(own.ip == wanted for _, own in pod.own_addresses() if not own.ip.is_loopback):
                return pod.name
        raise BadInput(f"no pod of this node has the address {address}; {self._pod_names()}")

    def _captured(self, word: str) -> str:
        found = matching(word, [pod.name for pod in self.state.pods])
        if len(found) == 1:
            return found[0]
        if found:
            raise BadInput(f"{word} can be any of {_list(found)}: write more of its name")
        if left := matching(word, self.state.left_out):
            raise CannotRead("twin", f"pod {left[0]} was not captured: this node has more than {MOST_PODS} pods")
        for pod in self._api_pods(word):
            if pod.host_network and pod.node == self.node:
                raise BadInput(f"pod {pod.namespace}/{pod.name} has the node's own network: write {HOST}")
            if pod.node != self.node:
                raise BadInput(f"pod {pod.namespace}/{pod.name} runs on node {pod.node or '(none)'}, not on this one")
        raise self._no_pod(word)

    def _no_pod(self, word: str) -> BadInput:
        near = nearest(word, [pod.name for pod in self.state.pods])
        return BadInput(f"no pod of this node is called {word or '(nothing)'}; {_meant(near) or self._pod_names()}")

    def _pod_names(self) -> str:
        names = [pod.name for pod in self.state.pods]
        return f"there are {HOST}, {OUTSIDE}" + (f", {_list(names)}" if names else " and no pods")

    def _api_pods(self, word: str) -> list[Pod]:
        found = matching(word, [f"{p.namespace}/{p.name}" for p in self.pods])
        return [pod for pod in self.pods if f"{pod.namespace}/{pod.name}" in found]

    def target(self, word: str, port: str = "", protocol: str = "") -> FlowEnd:
        """The far end that a word and a port mean; `protocol` as it was asked for, or "". Raises BadInput.

        A word such as 8.8.8.8:53 has the port in it, and a Service with one port needs none.
        """
        named = end_name(word)
        port, protocol = port_and_protocol(named, port, protocol)
        if self._is_node(named):
            return FlowEnd("the node", self.node_address(), port_number(port, named.name), protocol)
        if not named.kind and named.name in (OUTSIDE, INTERNET):
            return FlowEnd("the internet", SOMEWHERE, port_number(port, named.name), protocol)
        if not named.kind and is_address(named.name):
            return self._address_target(named.name, port, protocol)
        if service := self._service(named):
            return _service_end(service, port, protocol)
        return self._pod_target(named.name, port_number(port, named.name), protocol)

    def _address_target(self, address: str, port: str, protocol: str) -> FlowEnd:
        service = self._at(address)
        if service and not is_number(port):
            return _service_end(service, port, protocol)
        return FlowEnd(self._label(address), str(to_address(address)), port_number(port, address), protocol)

    def _pod_target(self, word: str, number: int, protocol: str) -> FlowEnd:
        addresses = self._pod_addresses()
        found = matching(word, list(addresses))
        if len(found) > 1:
            raise BadInput(f"{word} can be any of {_list(found)}: write more of its name")
        if not found:
            services = _list(map(str, self.services)) or "none that could be read"
            near = nearest(word, [*map(str, self.services), *addresses])
            there = _meant(near) or f"Services: {services}; pods: {_list(addresses)}"
            raise BadInput(f"no Service or pod is called {word or '(nothing)'}; {there}")
        return FlowEnd(f"pod {found[0]}", addresses[found[0]], number, protocol)

    def _pod_addresses(self) -> dict[str, str]:
        """The address of each pod that is known, by its full name."""
        addresses = {f"{p.namespace}/{p.name}": p.addresses[0] for p in self.pods if p.addresses}
        return addresses | {pod.name: pod.address for pod in self.state.pods if pod.address}

    def _service(self, named: EndName) -> Service | None:
        """The Service of this name; None where it may be a pod. Raises BadInput."""
        if named.kind == POD:
            return None
        name = named.name
        found = [s for s in self.services if name in (str(s), s.name, f"{s.name}.{s.namespace}")]
        if len(found) > 1:
            raise BadInput(f"{name} can be any of {_list(map(str, found))}: write its namespace too")
        if not found and named.kind == SERVICE:
            there = f"there are {_list(map(str, self.services)) or 'none that could be read'}"
            near = nearest(name, [*map(str, self.services), *self._pod_addresses()])
            raise BadInput(f"no Service with a ClusterIP is called {name}; {_meant(near) or there}")
        return found[0] if found else None

    def _at(self, address: str) -> Service | None:
        """The Service that has this ClusterIP."""
        wanted = str(to_address(address))
        return next((service for service in self.services if service.cluster_ip == wanted), None)

    def _label(self, address: str) -> str:
        wanted = str(to_address(address))
        service = self._at(address)
        pod = next((p for p in self.state.pods if any(str(own.ip) == wanted for _, own in p.own_addresses())), None)
        if service:
            return f"Service {service}"
        if wanted in {str(own.ip) for _, own in self.state.node.own_addresses()}:
            return "the node"
        return f"pod {pod.name}" if pod and not to_address(address).is_loopback else ""

    def node_address(self) -> str:
        """This node's: as the cluster knows it, else that of the default route's interface. Raises CannotRead."""
        own = [(index, address.ip) for index, address in self.state.node.own_addresses() if not address.ip.is_loopback]
        texts = {str(ip) for _, ip in own}
        if listed := [address for address in self.cluster.nodes if address in texts]:
            return listed[0]
        devices = self._devices_of_default_routes()
        for index, ip in own:
            if index in devices and not ip.is_link_local:
                return str(ip)
        raise CannotRead("network state", "the node has no default route, so which address is its own is not known")

    def _devices_of_default_routes(self) -> set[int]:
        wide = [route for route in routes(self.state.node) if not route.destination.prefixlen]
        return {index for route in wide for index in route.devices}

    def flow(self, source: str, target: FlowEnd, protocol: str) -> tuple[Flow, str]:
        """The flow, and the address that it is sent from ("" where the kernel chooses). Raises BadInput, CannotRead."""
        version = to_address(target.address).version
        if source == OUTSIDE:
            stranger = STRANGERS[version]
            return Flow(OUTSIDE, target.address, protocol, target.port, source_address=stranger), stranger
        own = [a.ip for _, a in self.state.by_name[source].own_addresses() if not a.ip.is_link_local]
        mine = [a for a in own if a.version == version and (source == NODE or not a.is_loopback)]
        if not mine:
            raise BadInput(_no_address(source, target, own))
        flow = flow_of(source, target.address, protocol, target.port, self.state, self.cluster)
        return flow, "" if source == NODE else str(mine[0])


def _no_address(source: str, target: FlowEnd, own: list[Address]) -> str:
    """That a pod or the node has no address of the target's family, in a sentence."""
    who = "the node" if source == NODE else f"pod {source}"
    has = ", ".join(str(a) for a in own if not a.is_loopback) or "none"
    version = to_address(target.address).version
    return f"{who} has no IPv{version} address to send to {target.address} from, it has {has}"


def matching(word: str, names: Iterable[str]) -> list[str]:
    """The names that a word means: NAMESPACE/NAME or NAME exactly, else all that begin so."""
    names = list(dict.fromkeys(names))
    exact = [name for name in names if word in (name, name.partition("/")[2])]
    if exact or not word:
        return exact
    return [name for name in names if (name if "/" in word else name.partition("/")[2]).startswith(word)]


def _service_end(service: Service, port: str, protocol: str) -> FlowEnd:
    chosen = service_port(service, port, protocol)
    return FlowEnd(f"Service {service}", service.cluster_ip, chosen.port, chosen.protocol.lower())


def service_port(service: Service, port: str, protocol: str) -> ServicePort:
    """A Service's port by name or number, "" for its only one. Raises BadInput.

    Of two with one number UDP's if it is 53, else TCP's.
    """
    if not port and len(service.ports) != 1:
        raise BadInput(f"Service {service} has several ports: write one of {_ports_of(service)}")
    wanted = [p for p in service.ports if port in ("", p.name, str(p.port))]
    fitting = [p for p in wanted if protocol in ("", p.protocol.lower())]
    if not fitting:
        asked = f"{port}/{protocol}" if protocol else port
        raise BadInput(f"Service {service} has no port {asked}; it has {_ports_of(service)}")
    return next((p for p in fitting if p.protocol == _usual_protocol(p.port)), fitting[0])


def _ports_of(service: Service) -> str:
    return ", ".join(f"{p.name} {p.port}/{p.protocol.lower()}".lstrip() for p in service.ports) or "none"


def _usual_protocol(port: int) -> str:
    return "UDP" if port == DNS else "TCP"


def _meant(near: str) -> str:
    return f"did you mean {near}?" if near else ""


def _list(names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more
