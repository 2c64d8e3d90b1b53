"""What interventions tell to type where a small node cannot show it, and where names are hostile."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from netdoctor.experiments.interventions import Intervention, Situation, files
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.routes import odd_rules, routes
from netdoctor.twin.state import State
from netdoctor.twin.walk import Walk
from tests.twin.network import CLUSTER, FLOWS, Node, real

pytestmark = pytest.mark.thorough

AF_INET = 2


def proposals(name: str, state: State, legacy: str = "") -> list[Intervention]:
    """What one file proposes for a question of a pod to the outside that nobody has seen on its way."""
    walk = Walk(FLOWS["outside"], Reply(Answer.TIMEOUT, 500.0), ())
    return list(files()[name](Situation(state, FLOWS["outside"], walk, legacy, CLUSTER)))


def with_settings(state: State, **filters: str) -> State:
    """The state with these values of rp_filter, and no other."""
    others = {key: value for key, value in state.node.sysctls.items() if not key.endswith("/rp_filter")}
    mine = {f"ipv4/conf/{name}/rp_filter": value for name, value in filters.items()}
    return replace(state, node=replace(state.node, sysctls={**others, **mine}))


@real
@pytest.mark.parametrize(
    ("filters", "typed"),
    [
        ({"all": "0", "eth0": "1", "eth1": "1"},
         ("sudo sysctl -w net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth1.rp_filter=2",)),
        ({"all": "0", "eth0.100": "1"}, ("sudo sysctl -w net.ipv4.conf.eth0/100.rp_filter=2",)),
        ({"all": "1", "eth0": "1", "eth1": "0"}, ("sudo sysctl -w net.ipv4.conf.all.rp_filter=2",)),
        ({"all": "0", "eth0": "2"}, ()),  # it is loose already
        ({"all": "0", "a=b": "1"}, ()),
        ({"all": "0", "*": "1"}, ()),
    ],
)  # fmt: skip
def test_the_reverse_path_check_is_loosened_and_not_taken_away(
    filters: dict[str, str], typed: tuple[str, ...], node: Node
) -> None:
    (found,) = proposals("loosen-reverse-path-filter", with_settings(node.state(), **filters))
    assert found.by_hand == typed


@real
def test_the_loosening_is_taken_by_the_kernel(node: Node) -> None:
    node.sh("sysctl -qw net.ipv4.conf.eth0.rp_filter=1")
    (found,) = proposals("loosen-reverse-path-filter", node.state())
    assert found.by_hand == ("sudo sysctl -w net.ipv4.conf.eth0.rp_filter=2",)
    node.sh(found.by_hand[0].removeprefix("sudo "))
    assert node.state().node.sysctls["ipv4/conf/eth0/rp_filter"] == "2"


@real
def test_a_default_route_is_added_by_the_neighbour_that_is_known(node: Node) -> None:
    node.sh("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable", "ip route del default")
    (found,) = proposals("add-default-route", node.state())
    assert found.by_hand == ("sudo ip route add default via 192.0.2.1 dev eth0",)
    node.sh(found.by_hand[0].removeprefix("sudo "))
    assert node.text("ip route show default").strip() == "default via 192.0.2.1 dev eth0"


@real
def test_a_rule_of_legacy_iptables_stays_inert(node: Node) -> None:
    rule = 'filter -A FORWARD -m comment --comment "; rm -rf / $(x)" -j DROP'
    (found,) = proposals("accept-by-legacy-iptables", node.state(), rule)
    (line,) = found.by_hand
    assert shlex.split(line)[-4:] == ["--comment", "; rm -rf / $(x)", "-j", "DROP"]
    assert proposals("accept-by-legacy-iptables", node.state(), 'filter -A FORWARD --comment "x') == []


@real
@pytest.mark.parametrize("name", [";reboot", "$(x)", "a'b", "&x", "|y"])
def test_a_hostile_interface_stays_one_word_and_is_set_up_by_it(name: str, node: Node) -> None:
    node.sh(f"ip link add dev {shlex.quote(name)} type bridge")
    (found,) = proposals("set-links-up", node.state())
    (line,) = found.by_hand
    assert shlex.split(line) == ["sudo", "ip", "link", "set", "dev", name, "up"]
    node.sh(line.removeprefix("sudo "))
    assert proposals("set-links-up", node.state()) == []


@real
def test_a_route_is_deleted_by_its_metric_and_its_table(node: Node) -> None:
    node.sh(
        "ip route add 8.8.8.0/24 via 192.0.2.7 dev eth0 metric 5",
        "ip route add blackhole 8.8.8.0/24 metric 9",
        "ip route add prohibit 8.8.8.8/32 table 100",
    )
    state = node.state()
    ours = [route for route in routes(state.node) if str(route.destination).startswith("8.8.8.")]
    typed = [" ".join(route.selected_by(state.node)) for route in ours]
    assert sorted(typed) == [
        "8.8.8.0/24 via 192.0.2.7 dev eth0 metric 5", "blackhole 8.8.8.0/24 metric 9",
        "prohibit 8.8.8.8/32 table 100",
    ]  # fmt: skip
    for words in typed:
        node.sh(f"ip route del {words}")
    assert not [route for route in routes(node.state().node) if str(route.destination).startswith("8.8.8.")]


@real
def test_a_routing_rule_is_deleted_by_all_that_it_selects(node: Node) -> None:
    node.sh(
        "ip rule add from 10.244.0.0/24 to 8.8.8.0/24 iif br0 fwmark 0x10/0xf0 lookup 100 pref 50",
        "ip rule add from all fwmark 0x1 lookup main pref 60",
    )
    found = proposals("remove-routing-rules", node.state())
    assert [each.by_hand for each in found] == [
        ("sudo ip rule del pref 50 from 10.244.0.0/24 to 8.8.8.0/24 iif br0 fwmark 0x10/0xf0 lookup 100",),
        ("sudo ip rule del pref 60 from all fwmark 0x1 lookup main",),
    ]
    for each in found:
        node.sh(each.by_hand[0].removeprefix("sudo "))
    assert odd_rules(node.state().node, AF_INET) == []
