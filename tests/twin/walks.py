"""A small node and walks through it, made by hand: what `capture` and `Tracer` would have given."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import replace

from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.cluster.services import Service, ServicePort
from netdoctor.system.traffic import Answer, Reply
from netdoctor.tracing.ends import FlowEnd, Known
from netdoctor.tracing.packet_path import way_of
from netdoctor.tracing.traced import Traced, ending_of
from netdoctor.twin.state import NetworkState, State
from netdoctor.twin.twin import NODE, Flow
from netdoctor.twin.walk import ERROR_MESSAGE, REPLY, REQUEST, Packet, TraceStep, Walk
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import attribute
from netdoctor.twin.wire.uapi.if_link import IFLA

CLIENT, DNS, ECHO = "default/client", "kube-system/coredns-8547bb4c78-bgxb4", "default/echo-99cc99db6-flvnt"
BRACKETS = {
    "bridge": (-350, 350), "prerouting": (-350, -195, -160, -90, 400), "output": (-350, -195, -160, -90, 400),
    "input": (-400, -1, 5, 400), "forward": (-400, -1, 5, 49, 400), "postrouting": (-400, 99, 400),
}  # fmt: skip


def link(index: int, name: str, kind: str = "", *, master: int = 0, peer: int = 0) -> bytes:
    body = rtnl.ifinfo(index, 1) + attribute(IFLA.IFNAME, name.encode() + b"\0")
    body += attribute(IFLA.MTU, struct.pack("=I", 1500))
    for attribute_of, value in ((IFLA.LINK, peer), (IFLA.MASTER, master)):
        body += attribute(attribute_of, struct.pack("=I", value)) if value else b""
    return body + (rtnl.linkinfo(kind) if kind else b"")


def address(index: int, text: str) -> bytes:
    it = ipaddress.ip_interface(text)
    head = struct.pack("=BBBBI", 2 if it.version == 4 else 10, it.network.prefixlen, 0, 0, index)
    return head + attribute(2, it.ip.packed) + attribute(1, it.ip.packed)


def default_route(gateway: str, index: int) -> bytes:
    head = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)
    return head + attribute(5, ipaddress.ip_address(gateway).packed) + attribute(4, struct.pack("=I", index))


def namespace(
    name: str, links: Iterable[bytes], addresses: Iterable[bytes], routes: Iterable[bytes] = (), **sysctls: str
) -> NetworkState:
    own = "" if name == NODE else str(ipaddress.ip_address(next(iter(addresses := list(addresses)))[12:16]))
    return NetworkState(
        name, own, tuple(links), tuple(addresses), tuple(routes), (), (), (), (), (), (), "", "", "",
        {key.replace("__", "/"): value for key, value in sysctls.items()}, (), (),
    )  # fmt: skip


def bridged_uplink() -> Traced:
    """A question to the outside by an uplink that is a port of a bridge; the bridge has the node's address."""
    state = node_state()
    links = [
        link(1, "lo"),
        link(2, "eth0", "veth", master=4, peer=99),
        *state.node.links[2:],
        link(4, "br-up", "bridge"),
    ]
    own = [state.node.addresses[0], state.node.addresses[2], address(4, "10.77.0.2/24")]
    node = replace(state.node, links=tuple(links), addresses=tuple(own), routes=(default_route("10.77.0.1", 4),))
    out = packet("10.77.0.2:40000 > 8.8.8.8:53", "tcp")
    steps = [
        *outwards(until="forward"),
        *hook(REQUEST, "forward", "bridge>br-up", before=out),
        *hook(REQUEST, "postrouting", "bridge>br-up", before=out),
        *hook(REQUEST, "bridge postrouting", ">eth0", before=out),
    ]
    return traced(steps, Reply(Answer.OK, 1.0), FlowEnd("", "8.8.8.8", 53), replace(state, node=node))


def node_state(*pods: str, **sysctls: str) -> State:
    """A node with eth0 10.77.0.2, bridge 10.244.0.1, and these pods from 10.244.0.9 upwards."""
    names = pods or (CLIENT, DNS, ECHO)
    links = [link(1, "lo"), link(2, "eth0", "veth", peer=99), link(3, "bridge", "bridge")]
    found = []
    for number, name in enumerate(names):
        links.append(link(10 + number, f"veth{number}", "veth", master=3, peer=2))
        own = [address(2, f"10.244.0.{9 + number}/16"), address(1, "127.0.0.1/8")]
        found.append(namespace(name, [link(1, "lo"), link(2, "eth0", "veth", peer=10 + number)], own))
    addresses = [address(1, "127.0.0.1/8"), address(2, "10.77.0.2/24"), address(3, "10.244.0.1/16")]
    return State(namespace(NODE, links, addresses, [default_route("10.77.0.1", 2)], **sysctls), tuple(found))


SERVICE = Service(
    "kube-system", "kube-dns", "ClusterIP", "10.96.0.10",
    (ServicePort("dns", "UDP", 53, 0), ServicePort("dns-tcp", "TCP", 53, 0), ServicePort("metrics", "TCP", 9153, 0)),
    {},
)  # fmt: skip
ALONE = Service("default", "echo", "NodePort", "10.111.0.1", (ServicePort("", "TCP", 80, 30080),), {})


def known(state: State | None = None, *services: Service) -> Known:
    """Names on that node."""
    services = services or (SERVICE, ALONE)
    cluster = ClusterAddresses(tuple((s.cluster_ip, ()) for s in services), ("10.77.0.2",), ("10.244.0.0/16",))
    return Known(state or node_state(), cluster, services, (), "minikube")


def packet(text: str, protocol: str = "udp") -> Packet:
    """From `10.0.0.1:5 > 10.0.0.2:53`."""
    (source, source_port), (destination, port) = (end.rsplit(":", 1) for end in text.split(" > "))
    return Packet(protocol, source, destination, int(source_port), int(port))


def hook(
    direction: str,
    at: str,
    interfaces: str,
    *rules: tuple[str, str, str, int, str, str],
    before: Packet,
    after: Packet | None = None,
    where: str = NODE,
) -> list[TraceStep]:
    """A packet's steps at one hook: brackets, and between them rules: family, table, chain, handle, text, verdict."""
    layer, _, name = at.rpartition(" ")
    came, _, went = interfaces.partition(">")
    priorities = BRACKETS["bridge"] if layer else BRACKETS[name]
    stopped = any(verdict in ("drop", "policy drop") for *_, verdict in rules)
    half = len(priorities) // 2

    def bracket(priority: int, seen: Packet) -> TraceStep:
        return TraceStep(where, direction, seen, came, went, layer or "inet", "", f"{name} {priority}", 0, "", "")

    steps = [bracket(priority, before) for priority in priorities[:half]]
    steps += [TraceStep(where, direction, before, came, went, *rule) for rule in rules]
    return steps if stopped else steps + [bracket(priority, after or before) for priority in priorities[half:]]


ASKED, TRANSLATED = packet("10.244.0.9:40000 > 10.96.0.10:53"), packet("10.244.0.9:40000 > 10.244.0.10:53")
ANSWER, BACK = packet("10.244.0.10:53 > 10.244.0.9:40000"), packet("10.96.0.10:53 > 10.244.0.9:40000")
DNAT = (
    ("ip", "nat", "PREROUTING", 24, '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
     "jump KUBE-SERVICES"),
    ("ip", "nat", "KUBE-SERVICES", 99, "-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SEP-SISP6ORRA37L3ZYK",
     "jump KUBE-SEP-SISP6ORRA37L3ZYK"),
    ("ip", "nat", "KUBE-SEP-SISP6ORRA37L3ZYK", 103,
     '-A KUBE-SEP-SISP6ORRA37L3ZYK -p udp -m comment --comment "kube-system/kube-dns:dns" -m udp -j DNAT '
     "--to-destination 10.244.0.10:53", "accept"),
)  # fmt: skip
FORWARD = (
    ("ip", "filter", "FORWARD", 32, '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
     "jump KUBE-FORWARD"),
    ("ip", "filter", "KUBE-FORWARD", 0, "", "continue"),
    ("ip", "filter", "FORWARD", 13, "-A FORWARD -j CNI-FORWARD", "jump CNI-FORWARD"),
    ("ip", "filter", "CNI-FORWARD", 16, "-A CNI-FORWARD -s 10.244.0.9/32 -j ACCEPT", "accept"),
)  # fmt: skip


def to_service() -> Traced:
    """A healthy question to the cluster DNS, over the bridge, and its answer."""
    steps = [
        *_nested("prerouting", "veth0>", "bridge>", *DNAT, before=ASKED, after=TRANSLATED),
        *_nested("forward", "veth0>veth1", "bridge>bridge", *FORWARD, before=TRANSLATED),
        *hook(REQUEST, "bridge postrouting", ">veth1", before=TRANSLATED),
        *hook(REQUEST, "postrouting", ">bridge", before=TRANSLATED),
        *hook(REPLY, "bridge prerouting", "veth1>", before=ANSWER),
        *hook(REPLY, "prerouting", "bridge>", before=ANSWER),
        *hook(REPLY, "bridge forward", "veth1>veth0", before=ANSWER),
        *hook(REPLY, "postrouting", ">bridge", before=ANSWER, after=BACK),
    ]
    return traced(steps, Reply(Answer.OK, 1.0), FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 53))


def _nested(
    name: str,
    ports: str,
    bridge: str,
    *rules: tuple[str, str, str, int, str, str],
    before: Packet,
    after: Packet | None = None,
) -> list[TraceStep]:
    """A hook of the bridge, in the middle of which the IP layer's hook of that name is."""
    outer = hook(REQUEST, f"bridge {name}", ports, before=before)
    return [outer[0], *hook(REQUEST, name, bridge, *rules, before=before, after=after), outer[1]]


def outwards(*forward: tuple[str, str, str, int, str, str], until: str = "") -> list[TraceStep]:
    """The steps of a question to 8.8.8.8, up to and without the hook `until`."""
    out = packet("10.244.0.9:40000 > 8.8.8.8:53", "tcp")
    steps = [
        *_nested("prerouting", "veth0>", "bridge>", before=out),
        *hook(REQUEST, "bridge input", "veth0>", before=out),
    ]
    if until == "forward":
        return steps
    steps += hook(REQUEST, "forward", "bridge>eth0", *forward, before=out)
    return steps if until == "postrouting" else [*steps, *hook(REQUEST, "postrouting", "bridge>eth0", before=out)]


REJECTING = (
    ("inet", "firewalld", "filter_FORWARD", 31, "jump filter_FORWARD_POLICIES", "jump filter_FORWARD_POLICIES"),
    ("inet", "firewalld", "filter_FORWARD_POLICIES", 134, 'oifname "eth0" reject with icmpx admin-prohibited', "drop"),
)


def rejected() -> Traced:
    """A question to the outside that firewalld rejects."""
    error = Packet("icmp", "10.244.0.1", "10.244.0.9", icmp="3/13")
    steps = [*outwards(*REJECTING, until="postrouting"), *hook(ERROR_MESSAGE, "output", ">bridge", before=error)]
    return traced(steps, Reply(Answer.PROHIBITED, 1.0, "3/13 from 10.244.0.1"), FlowEnd("", "8.8.8.8", 53))


def lost(until: str = "", **sysctls: str) -> Traced:
    """A question to the outside that nobody answers."""
    return traced(outwards(until=until), Reply(Answer.TIMEOUT, 60.0), FlowEnd("", "8.8.8.8", 53), node_state(**sysctls))


def traced(
    steps: list[TraceStep],
    reply: Reply,
    target: FlowEnd,
    state: State | None = None,
    source: str = CLIENT,
    refusal: str = "",
) -> Traced:
    state = state or node_state()
    protocol = steps[0].packet.protocol if steps else "tcp"
    walk = Walk(Flow(source, target.address, protocol, target.port), reply, tuple(steps))
    way = way_of(walk)
    ending = ending_of(state, walk, way, reply, refusal=refusal, in_service=target.in_service)
    end = FlowEnd(f"pod {source}", "10.244.0.9") if source == CLIENT else FlowEnd("the node", "")
    return Traced(state, end, target, walk, way, reply, ending, "minikube")
