"""The search for the smallest change that lets a packet pass, on copies of a small node; each cure made real on it."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import NotRehearsable
from netdoctor.experiments.interventions import Intervention, Situation, files
from netdoctor.experiments.search import Found, Search
from netdoctor.experiments.work_limit import WorkLimit
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.asked import Asked
from netdoctor.twin.twin import DOUBT, Flow, Twin
from netdoctor.twin.walk import Walk
from tests.busy import busy_loops
from tests.twin.network import CLUSTER, FLOWS, UPLINK_IS_BRIDGE, Node, real

pytestmark = [pytest.mark.thorough, real]


def searched(
    node: Node,
    *flows: str,
    candidates: list[Intervention] | None = None,
    slow: bool = False,
    limit: WorkLimit | None = None,
) -> tuple[dict[str, Found], Search]:
    """What the search finds for flows that fail on the node; `slow`: wait until it knows of a silent neighbour."""
    asked = [Asked(name, FLOWS[name], node.ask(FLOWS[name], 3.5 if slow else 0.5)) for name in flows]
    assert not any(each.reply.answered for each in asked)
    state = node.state()

    def situation(asked: Asked, way: Walk, legacy: str) -> Situation:
        return Situation(state, asked.flow, way, legacy, CLUSTER)

    def refusal(_twin: Twin, _asked: Asked) -> str:
        return ""

    search = Search(state, situation, refusal, limit or WorkLimit())
    return {found.asked.name: found for found in search.run(asked, lambda: candidates or [])}, search


def cure(node: Node, found: Found) -> None:
    """Make the smallest set real: by what a person is told to type, where that is said."""
    for intervention in min(found.cures, key=len):
        if intervention.by_hand:
            node.sh(*(line.removeprefix("sudo ") for line in intervention.by_hand))
        else:
            node.namespaces[intervention.where].run(intervention.make)


SINGLE = {
    "accept-packets": (["iptables-nft -I FORWARD -p udp --dport 53 -j DROP"], "outside"),
    "accept-packets, policy": (["iptables-nft -P FORWARD DROP"], "outside"),
    "accept-packets, final rule": (
        ["iptables-nft -A FORWARD -d 8.8.4.4 -j ACCEPT", "iptables-nft -A FORWARD -j REJECT"], "outside",
    ),
    "forward-at-every-interface": (["sysctl -qw net.ipv4.conf.br0.forwarding=0"], "outside"),
    "set-links-up": (["ip link set veth1 down"], "pod"),
    "join-bridge": (["ip link set veth1 nomaster"], "pod"),
    "free-bridge-ports": (
        ["bridge link set dev veth0 isolated on", "bridge link set dev veth1 isolated on"], "pod",
    ),
    "free-bridge-ports, disabled": (["bridge link set dev veth1 state 0"], "pod"),
    "free-bridge-ports, hairpin": (["bridge link set dev veth1 hairpin off"], "itself"),
    "masquerade-packets-to-itself": (
        ["iptables-nft -t nat -D POSTROUTING -s 10.244.0.11 -d 10.244.0.11 -j MASQUERADE"], "itself",
    ),
    "remove-routes": (["ip route add blackhole 8.8.8.8/32"], "outside"),
    "remove-routes, astray": (["ip route add 8.8.8.0/24 via 192.0.2.77 onlink dev eth0"], "outside"),
    "remove-routing-rules": (["ip rule add from 10.244.0.0/24 prohibit pref 50"], "outside"),
    "masquerade-pods": (["iptables-nft -t nat -F POSTROUTING"], "outside"),
    "masquerade-pods, by a bridge": ([*UPLINK_IS_BRIDGE, "iptables-nft -t nat -F POSTROUTING"], "outside"),
    "translate-services": (["iptables-nft -t nat -F KUBE-SERVICES"], "service"),
    "give-bridge-its-address": (["ip address del 10.244.0.1/24 dev br0"], "outside"),
    "restore-connected-routes": (["ip route del 10.244.0.0/24 dev br0"], "outside"),
    "forget-permanent-neighbours": (
        ["ip neighbour replace 10.244.0.10 lladdr 02:00:00:00:00:99 dev br0 nud permanent"], "node",
    ),
    "remove-translations": (
        ["iptables-nft -t nat -I PREROUTING -p udp --dport 53 -j DNAT --to-destination 192.0.2.78"], "outside",
    ),
    "remove-translations, redirected": (
        ["iptables-nft -t nat -I PREROUTING -p udp --dport 53 -j REDIRECT --to-ports 5353"], "outside",
    ),
    "remove-translations, ttl": (["iptables-nft -t mangle -A PREROUTING -i br0 -j TTL --ttl-set 1"], "outside"),
    "remove-translations, accepted": (["iptables-nft -t nat -I PREROUTING -d 10.96.0.20 -j ACCEPT"], "service"),
    "remove-translations, returned": (["iptables-nft -t nat -I KUBE-SERVICES -d 10.96.0.20 -j RETURN"], "service"),
    "answer-arp": (["sysctl -qw net.ipv4.conf.all.arp_ignore=8"], "outside"),
    "raise-mtu": (["ip link set veth0 mtu 68"], "outside"),
    "give-pod-its-default-route": (["POD ip route del default"], "outside"),
    "remove-packet-programs, queue": (["tc qdisc add dev veth0 root tbf rate 8kbit burst 60 limit 60"], "outside"),
    "remove-packet-programs, bpf": (
        ["tc qdisc add dev veth0 clsact",
         "tc filter add dev veth0 ingress bpf bytecode '1,6 0 0 2' direct-action"], "outside",
    ),
    "remove-packet-programs, ipsec": (
        ["ip xfrm policy add dir fwd src 10.244.0.0/16 dst 0.0.0.0/0 action block"], "outside",
    ),
}  # fmt: skip

# what a person is told to type; HANDLE is the kernel's number of the rule
TYPED = {
    "accept-packets": ["sudo nft delete rule ip filter FORWARD handle HANDLE"],
    "accept-packets, policy": [
        "sudo iptables-nft -A FORWARD -s 10.244.0.0/24 -i br0 -j ACCEPT",
        "sudo iptables-nft -A FORWARD -d 10.244.0.0/24 -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ],
    "accept-packets, final rule": [
        "sudo iptables-nft -I FORWARD 2 -s 10.244.0.0/24 -i br0 -j ACCEPT",
        "sudo iptables-nft -I FORWARD 3 -d 10.244.0.0/24 -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ],
    "forward-at-every-interface": ["sudo sysctl -w net.ipv4.conf.br0.forwarding=1"],
    "set-links-up": ["sudo ip link set dev veth1 up"],
    "join-bridge": ["sudo ip link set dev veth1 master br0", "sudo bridge link set dev veth1 hairpin on"],
    "free-bridge-ports": [
        "sudo bridge link set dev veth0 isolated off", "sudo bridge link set dev veth1 isolated off",
    ],
    "free-bridge-ports, disabled": ["sudo bridge link set dev veth1 state forwarding"],
    "free-bridge-ports, hairpin": ["sudo bridge link set dev veth1 hairpin on"],
    "masquerade-packets-to-itself": [
        "sudo iptables -t nat -I POSTROUTING -s 10.244.0.11 -d 10.244.0.11 -j MASQUERADE",
    ],
    "remove-routes": ["sudo ip route del blackhole 8.8.8.8/32"],
    "remove-routes, astray": ["sudo ip route del 8.8.8.0/24 via 192.0.2.77 dev eth0"],
    "remove-routing-rules": ["sudo ip rule del pref 50 from 10.244.0.0/24 prohibit"],
    "give-bridge-its-address": ["sudo ip address add 10.244.0.1/24 dev br0"],
    "restore-connected-routes": ["sudo ip route add 10.244.0.0/24 dev br0"],
    "forget-permanent-neighbours": ["sudo ip neigh del 10.244.0.10 dev br0"],
    "remove-translations": ["sudo nft delete rule ip nat PREROUTING handle HANDLE"],
    "remove-translations, redirected": ["sudo nft delete rule ip nat PREROUTING handle HANDLE"],
    "remove-translations, ttl": ["sudo nft delete rule ip mangle PREROUTING handle HANDLE"],
    "remove-translations, accepted": ["sudo nft delete rule ip nat PREROUTING handle HANDLE"],
    "answer-arp": ["sudo sysctl -w net.ipv4.conf.all.arp_ignore=0"],
    "raise-mtu": ["sudo ip link set dev veth0 mtu 1500", "sudo ip link set dev br0 mtu 1500"],
    "remove-packet-programs, queue": ["sudo tc qdisc del dev veth0 root"],
    "remove-packet-programs, bpf": ["sudo tc filter del dev veth0 ingress pref 49152"],
    "remove-packet-programs, ipsec": ["sudo ip xfrm policy delete dir fwd index INDEX"],
}  # fmt: skip
WITHOUT_COMMAND = {
    "masquerade-pods": "restore-pod-masquerade repairs it",
    "masquerade-pods, by a bridge": "restore-pod-masquerade repairs it",
    "translate-services": "resync-kube-proxy repairs it",
    "give-pod-its-default-route": "a copy knows the pod's name, and not its namespace's path",
    "remove-translations, returned": "the rule is in a chain that kube-proxy writes again",
}


def test_each_says_what_to_type_or_why_there_is_no_command() -> None:
    assert SINGLE.keys() == TYPED.keys() | WITHOUT_COMMAND.keys()


@pytest.mark.parametrize("name", list(SINGLE))
def test_one_change_is_named_and_cures_the_node(name: str, node: Node) -> None:
    lines, flow = SINGLE[name]
    for line in lines:
        inside = line.startswith("POD ")
        node.sh(line.removeprefix("POD "), where="default/client" if inside else "node")
    found, _ = searched(node, flow, slow="astray" in name)
    assert found[flow].alike
    names = [[each.name for each in one] for one in found[flow].cures]
    assert [name.partition(",")[0]] in names, (str(found[flow].reply), names)
    assert all(found[flow].necessary)
    typed = [line for each in min(found[flow].cures, key=len) for line in each.by_hand]
    assert [
        re.sub(r"(handle|index) \d+$", lambda found: f"{found[1]} {found[1].upper()}", line) for line in typed
    ] == TYPED.get(name, [])
    cure(node, found[flow])
    end = time.monotonic() + 6  # a neighbour that was silent is asked again after a while
    while not (reply := node.ask(FLOWS[flow], 1)).answered and time.monotonic() < end:
        time.sleep(0.2)
    assert reply.answered, str(reply)


def test_two_faults_make_a_pair(node: Node) -> None:
    node.sh(
        "sysctl -qw net.ipv4.conf.br0.forwarding=0", "iptables-nft -I FORWARD -p udp --dport 53 -j DROP",
    )  # fmt: skip
    found, search = searched(node, "outside")
    assert [sorted(each.name for each in one) for one in found["outside"].cures] == [
        ["accept-packets", "forward-at-every-interface"]
    ]
    assert search.copies < 20
    cure(node, found["outside"])
    assert node.ask(FLOWS["outside"], 2).answer is Answer.OK


def test_one_rule_behind_the_other(node: Node) -> None:
    for port in ("10", "20"):
        node.sh(
            f"nft add table inet x{port}",
            f"nft add chain inet x{port} f '{{ type filter hook forward priority {port}; }}'",
            f"nft add rule inet x{port} f ip daddr 8.8.8.8 drop",
        )
    found, _ = searched(node, "outside")
    assert [len(one) for one in found["outside"].cures] == [2]


def test_a_search_ends_at_its_limit_and_says_which(node: Node) -> None:
    node.sh("iptables-nft -I FORWARD -p udp --dport 53 -j DROP")
    _, whole = searched(node, "outside")
    assert whole.cut_short == ""
    found, search = searched(node, "outside", limit=WorkLimit(copies=2))
    assert (search.cut_short, search.copies) == ("2 copies", 2)
    assert found["outside"].cures == ()
    _, search = searched(node, "outside", limit=WorkLimit(processor_seconds=0.001))
    assert search.cut_short == "0.001 s of processor time"


def test_a_busy_machine_gets_the_same_answer(node: Node) -> None:
    node.sh(
        "sysctl -qw net.ipv4.conf.br0.forwarding=0", "iptables-nft -I FORWARD -p udp --dport 53 -j DROP",
    )  # fmt: skip
    with busy_loops(4 * (os.cpu_count() or 1)):
        found, search = searched(node, "outside")
    assert search.cut_short == ""
    assert [sorted(each.name for each in one) for one in found["outside"].cures] == [
        ["accept-packets", "forward-at-every-interface"]
    ]
    assert found["outside"].necessary == (True,)


def test_what_no_change_cures_is_left_so(node: Node) -> None:
    node.sh("ip link set u0 down", where="outside")
    found, _ = searched(node, "outside")
    assert found["outside"].cures == ()


def test_what_passes_in_the_copy_is_said_to_pass(node: Node) -> None:
    node.sh("nft add table ip q", "nft add chain ip q i '{ type filter hook input priority 0; }'",
            "nft add rule ip q i udp dport 53 drop", where="outside")  # fmt: skip
    found, search = searched(node, "outside")
    assert not found["outside"].alike
    assert found["outside"].reply.answer is Answer.OK
    assert search.copies == 1


def test_a_service_that_kube_proxy_knows_no_endpoint_of_is_not_translated(node: Node) -> None:
    node.sh(
        "iptables-nft -t nat -F KUBE-SERVICES", "iptables-nft -N KUBE-SERVICES",
        "iptables-nft -I FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES",
        "iptables-nft -A KUBE-SERVICES -d 10.96.0.20 -p tcp -m comment --comment 'default/postgres has no endpoints' "
        "-j REJECT --reject-with icmp-port-unreachable",
    )  # fmt: skip
    found, _ = searched(node, "service")
    assert found["service"].alike
    assert found["service"].cures == ()


def test_an_answer_that_is_late_in_the_copy_makes_no_cause(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.sh("nft add table ip q", "nft add chain ip q i '{ type filter hook input priority 0; }'",
            "nft add rule ip q i udp dport 53 drop", where="outside")  # fmt: skip
    original = Twin.begin_all

    def busy(twin: Twin, flows: list[Flow], seconds: float) -> list[Future[Reply]]:
        def later(future: Future[Reply]) -> Reply:
            time.sleep(2 * DOUBT)
            return future.result()

        return [processor.submit(later, future) for future in original(twin, flows, seconds)]

    processor = ThreadPoolExecutor(1)
    monkeypatch.setattr(Twin, "begin_all", busy)
    idle = Intervention("idle", "nothing", "nothing", "nothing", lambda: None)
    found, _ = searched(node, "outside", candidates=[idle])
    processor.shutdown()
    assert (found["outside"].alike, found["outside"].cures) == (False, ())
    assert found["outside"].reply.answer is Answer.OK


def test_a_candidate_that_does_nothing_is_no_part_of_a_cure(node: Node) -> None:
    node.sh("iptables-nft -I FORWARD -p udp --dport 53 -j DROP")
    idle = Intervention("idle", "nothing", "nothing", "nothing", lambda: None)
    found, _ = searched(node, "outside", candidates=[idle])
    assert [[each.name for each in one] for one in found["outside"].cures] == [["accept-packets"]]


def test_a_remedy_is_kept_and_what_else_would_do_is_an_alternative(node: Node) -> None:
    node.sh("sysctl -qw net.ipv4.ip_forward=0")
    change = SetSysctl("net.ipv4.ip_forward", "1", "0")
    remedy = Intervention(
        "enable-ip-forward", "ip-forward-disabled", "off", "on", partial(change.rehearse, Host()), remedy=True
    )
    found, _ = searched(node, "outside", candidates=[remedy])
    assert [[each.name for each in one] for one in found["outside"].cures] == [["enable-ip-forward"]]


@pytest.mark.parametrize("key", ["net.core.rmem_max", "net.ipv4.no_such_setting"])
def test_a_setting_that_is_no_namespace_s_is_refused(key: str, node: Node) -> None:
    with pytest.raises(NotRehearsable):
        node.namespaces["node"].run(lambda: SetSysctl(key, "1", "0").rehearse(Host()))


# these need what a small node has not: the fault of tests/faults that each of them cures
ON_THE_LAB = {
    "accept-by-legacy-iptables": "iptables-legacy-drops",
    "add-default-route": "default-route-missing-and-api-server-dead",
    "loosen-reverse-path-filter": "rp-filter-asymmetric",
}


def test_every_file_has_a_fault_that_it_cures() -> None:
    here = {name.partition(",")[0] for name in SINGLE}
    assert set(files()) == here | set(ON_THE_LAB)
    folder = Path(__file__).parents[1] / "faults"
    assert all((folder / f"{fault}.yaml").exists() for fault in ON_THE_LAB.values())
