"""A small node in throw-away namespaces: a bridge with two pods, an uplink to an outside, and rules as kube-proxy's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.system.host import Host
from netdoctor.system.traffic import Reply, ask_all, in_namespace
from netdoctor.twin.capture import capture
from netdoctor.twin.listening import Responder
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.state import Listener, State
from netdoctor.twin.twin import Flow, question

NEEDED = [tool for tool in ("ip", "nft", "iptables-nft") if not shutil.which(tool)]
real = pytest.mark.skipif(
    os.geteuid() != 0 or bool(NEEDED),
    reason=f"network namespaces need root and {' and '.join(NEEDED) or 'ip, nft, iptables-nft'}",
)
CLIENT, SERVER = "default/client", "default/server"
ADDRESS = {CLIENT: "10.244.0.10", SERVER: "10.244.0.11"}
NODE_ADDRESS, RESOLVER, CLUSTER_IP = "192.0.2.10", "8.8.8.8", "10.96.0.20"
OUTSIDE = (Listener("udp", RESOLVER, 53),)
CLUSTER = ClusterAddresses(
    ((CLUSTER_IP, ((ADDRESS[SERVER], "tcp", 5432, 5432),)),), (NODE_ADDRESS,), ("10.244.0.0/24",)
)
FLOWS = {
    "service": Flow(CLIENT, CLUSTER_IP, "tcp", 5432, in_cluster=True),
    "pod": Flow(CLIENT, ADDRESS[SERVER], "tcp", 5432),
    "refused": Flow(CLIENT, ADDRESS[SERVER], "tcp", 9),
    "node": Flow(CLIENT, NODE_ADDRESS, "tcp", 10250),
    "outside": Flow(CLIENT, RESOLVER, "udp", 53, OUTSIDE),
    "itself": Flow(SERVER, CLUSTER_IP, "tcp", 5432, in_cluster=True),
    "host": Flow("node", RESOLVER, "udp", 53, OUTSIDE),
}
# as on hosts of virtual machines: the bridge has the node's address, and a link-layer address of its own
UPLINK_IS_BRIDGE = (
    "ip link add br-up address 02:00:00:00:00:77 type bridge",
    f"ip address del {NODE_ADDRESS}/24 dev eth0",
    "ip link set eth0 master br-up",
    "ip link set br-up up",
    f"ip address add {NODE_ADDRESS}/24 dev br-up",
    "ip route replace default via 192.0.2.1 dev br-up",
)
TO_PG = "-j KUBE-SVC-PG"
RULES = f"""*nat
:KUBE-SERVICES - [0:0]
:KUBE-SVC-PG - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A KUBE-SERVICES -d {CLUSTER_IP}/32 -p tcp -m comment --comment "default/pg cluster IP" -m tcp --dport 5432 {TO_PG}
-A KUBE-SVC-PG -p tcp -m tcp -j DNAT --to-destination {ADDRESS[SERVER]}:5432
-A POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/24 -j MASQUERADE
-A POSTROUTING -s {ADDRESS[SERVER]} -d {ADDRESS[SERVER]} -j MASQUERADE
COMMIT
*filter
:FORWARD ACCEPT [0:0]
COMMIT
"""


@dataclass
class Node:
    """The node, its pods and the outside."""

    namespaces: dict[str, Namespace]
    responder: Responder

    def sh(self, *lines: str, where: str = "node") -> None:
        """Run commands in one of its namespaces, in one shell."""
        self.namespaces[where].run(lambda: Host(loads=True).run(["sh", "-ec", "\n".join(lines)]))

    def text(self, command: str) -> str:
        """What a command prints there."""
        return self.namespaces["node"].run(lambda: Host(loads=True).run(["sh", "-c", command]))

    def state(self) -> State:
        """Its state now."""
        return capture(
            {name: (self.namespaces[name].path, address) for name, address in ADDRESS.items()},
            node=self.namespaces["node"].path,
        )

    def ask(self, flow: Flow, seconds: float = 0.5) -> Reply:
        """How a flow really ends."""
        path = self.namespaces[flow.source].path
        return in_namespace(path, question(flow.destination, flow.protocol, flow.port, seconds)).result()

    def ask_all(self, seconds: float = 0.5) -> dict[str, Reply]:
        """How all of FLOWS really end."""
        asked = [
            (self.namespaces[f.source].path, question(f.destination, f.protocol, f.port, seconds))
            for f in FLOWS.values()
        ]
        return dict(zip(FLOWS, ask_all(asked, seconds), strict=True))

    def close(self) -> None:
        self.responder.close()
        for namespace in self.namespaces.values():
            namespace.close()


@contextmanager
def small_node() -> Iterator[Node]:
    """A healthy node; everything that FLOWS ask works, or is refused where it is called so."""
    names = ("node", "outside", CLIENT, SERVER)
    node = Node({name: Namespace.new() for name in names}, Responder())
    fd = {name: f"/proc/{os.getpid()}/fd/{each.descriptor}" for name, each in node.namespaces.items()}
    node.sh(
        "ip link set lo up",
        f"ip link add eth0 type veth peer name u0 netns {fd['outside']}",
        f"ip address add {NODE_ADDRESS}/24 dev eth0",
        "ip link set eth0 up",
        "ip link add br0 type bridge",
        "ip address add 10.244.0.1/24 dev br0",
        "ip link set br0 up",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0",
    )
    node.sh(
        "ip link set lo up",
        "ip address add 192.0.2.1/24 dev u0",
        "ip link set u0 up",
        f"ip address add {RESOLVER}/32 dev lo",
        where="outside",
    )
    node.sh("ip route add default via 192.0.2.1")
    for number, (name, address) in enumerate(ADDRESS.items()):
        node.sh(
            f"ip link add veth{number} type veth peer name eth0 netns {fd[name]}",
            f"ip link set veth{number} master br0 up",
            f"bridge link set dev veth{number} hairpin on",
        )
        node.sh(
            "ip link set lo up", f"ip address add {address}/24 dev eth0", "ip link set eth0 up",
            "ip route add default via 10.244.0.1", where=name,
        )  # fmt: skip
    node.namespaces["node"].run(lambda: Host(loads=True).run(["iptables-nft-restore", "--noflush"], stdin=RULES))
    for where, listener in (
        (SERVER, Listener("tcp", "0.0.0.0", 5432)), ("node", Listener("tcp", "0.0.0.0", 10250)),
        ("node", Listener("tcp", "127.0.0.1", 6060)), ("outside", Listener("udp", RESOLVER, 53)),
    ):  # fmt: skip
        node.namespaces[where].run(lambda x=listener: node.responder.listen(x))  # type: ignore[misc]
    try:
        yield node
    finally:
        node.close()
