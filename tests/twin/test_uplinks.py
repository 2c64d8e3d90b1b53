"""Which links lead out of a small node, and which to its pods."""

from __future__ import annotations

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.tracing.ends import Known
from netdoctor.twin.beyond import flow_of
from netdoctor.twin.state import Listener, State
from netdoctor.twin.uplinks import pod_bridges, pod_ports, uplink_ports, uplinks
from tests.twin.network import CLIENT, CLUSTER_IP, NODE_ADDRESS, SERVER, UPLINK_IS_BRIDGE, Node, real

pytestmark = real
# a bridge of containers that are no pods, and an interface that comes before the uplink
CONTAINERS = (
    "ip link add docker0 type bridge", "ip address add 172.17.0.1/16 dev docker0", "ip link set docker0 up",
    "ip link add vethd type veth peer name vethe", "ip link set vethd master docker0 up",
)  # fmt: skip
SHAPES = {
    "an interface": ([], ["eth0"], {}),
    "two next hops": (["ip route replace default nexthop via 192.0.2.1 dev eth0 nexthop via 192.0.2.1 dev eth0"],
                      ["eth0"], {}),
    "a bridge": ([*UPLINK_IS_BRIDGE], ["br-up"], {"eth0": "br-up"}),
    "a bridge of containers beside": ([*UPLINK_IS_BRIDGE, *CONTAINERS], ["br-up", "vethe"], {"eth0": "br-up"}),
    "a bridge with a virtual machine": (
        [*UPLINK_IS_BRIDGE, "ip link add tap0 type veth peer name tap1", "ip link set tap0 master br-up up",
         "ip link set tap1 up"],
        ["br-up", "tap1"], {"eth0": "br-up"},
    ),
    "the pods' own bridge": (
        ["ip address del 192.0.2.10/24 dev eth0", "ip link set eth0 master br0", "ip address add 192.0.2.10/24 dev br0",
         "ip route replace default via 192.0.2.1 dev br0"],
        ["br0"], {"eth0": "br0"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SHAPES))
def test_what_leads_out(name: str, node: Node) -> None:
    lines, leading, ports = SHAPES[name]
    node.sh(*lines)
    state = node.state()
    names = {link.index: link.name for link in state.node.interfaces()}
    assert [link.name for link in uplinks(state)] == leading
    assert {names[index]: bridge.name for index, bridge in uplink_ports(state).items()} == ports
    assert {names[index]: pod for index, pod in pod_ports(state).items()} == {"veth0": CLIENT, "veth1": SERVER}
    assert [names[index] for index in pod_bridges(state)] == ["br0"]


def test_a_route_with_two_next_hops_tells_the_nodes_address(node: Node) -> None:
    node.sh(*SHAPES["two next hops"][0])
    assert Known(node.state(), ClusterAddresses((), (), ()), (), (), "").node_address() == NODE_ADDRESS


def test_another_node_beside_a_bridged_uplink_is_no_pod_of_this_one(node: Node) -> None:
    node.sh(*UPLINK_IS_BRIDGE)
    other, pod = "192.0.2.11", "10.244.0.99"
    assert [x.address for x in to_service(node.state(), other)] == [other]
    with pytest.raises(CannotRead, match="a pod of this node that was not captured"):
        to_service(node.state(), pod)


def to_service(state: State, end: str) -> tuple[Listener, ...]:
    cluster = ClusterAddresses(((CLUSTER_IP, ((end, "tcp", 6443, 443),)),), (NODE_ADDRESS,), ("10.244.0.0/24",))
    return flow_of(CLIENT, CLUSTER_IP, "tcp", 443, state, cluster).beyond
