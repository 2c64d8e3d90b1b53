"""Nobody is locked out by a repair: ten nodes with a person who came in by ssh, and the same ten without."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netdoctor.changes.direct_rules import RemoveDirectRules, Rule
from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.errors import Exposed, NotRehearsable
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.connections import Connection, Connections
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.model import FROM_PODS, Access
from netdoctor.output.rehearsal_text import as_json, lines
from netdoctor.rehearsal.direct_rules import that_matter
from netdoctor.rehearsal.rehearsal import Rehearsal, RehearsalVerdict, insist, rehearse
from netdoctor.system.host import Host
from netdoctor.twin.state import Listener
from tests.twin.lockouts import FAR, FAR6, LOCKOUTS, NODE6, PERSON, POLICY_DROP, LockOut
from tests.twin.network import ADDRESS, CLUSTER, NODE_ADDRESS, SERVER, Node, real, small_node
from tests.twin.test_rehearsal import Commands

pytestmark = [pytest.mark.thorough, real]
DIRECT: Rule = ("ipv4", "filter", "INPUT", 0, ("-s", PERSON, "-p", "tcp", "--dport", "22", "-j", "ACCEPT"))


@contextmanager
def node_with(*commands: str) -> Iterator[Node]:
    """A node with sshd at 22 and 2222, IPv6 at its uplink, and what these commands make of it."""
    with small_node() as node:
        node.sh(f"ip -6 address add {NODE6}/64 dev eth0 nodad", "ip -6 route add default via fe80::1 dev eth0")
        node.sh(f"ip -6 address add {FAR6}/64 dev u0 nodad", f"ip address add {PERSON}/32 dev u0", where="outside")
        for port in (22, 2222):
            for address in ("0.0.0.0", "::"):
                listener = Listener("tcp", address, port)
                node.namespaces["node"].run(lambda x=listener: node.responder.listen(x))  # type: ignore[misc]
        node.sh(*commands)
        yield node


def facts_of(node: Node, *connections: Connection, cluster: ClusterAddresses = CLUSTER) -> Facts:
    return Facts(
        {
            NodeNetwork: NodeNetwork(node.state()), ClusterAddresses: cluster, FailedFlows: FailedFlows((), True),
            Connections: Connections(connections),
        }
    )  # fmt: skip


def commands(*told: str) -> Commands:
    return Commands(tuple(tuple(line.split()) for line in told))


def tried(lockout: LockOut, *, lets_in: bool, connected: bool) -> Rehearsal:
    with node_with(*lockout.setup, *(lockout.lets_in if lets_in else lockout.without)) as node:
        facts = facts_of(node, *([lockout.connection()] if connected else []))
        gone = [line for line in lockout.repair if lets_in or " -D " not in line]
        return rehearse(facts, [commands(*(gone or ["nft list ruleset"]))], FROM_PODS)


@pytest.mark.parametrize("title", list(LOCKOUTS))
def test_a_repair_that_cuts_off_a_person_is_refused(title: str) -> None:
    lockout = LOCKOUTS[title]
    rehearsal = tried(lockout, lets_in=True, connected=True)
    assert rehearsal.not_made == ()
    assert f"person on the node: ssh from {lockout.person} (you) -> " in rehearsal.refusal, rehearsal.refusal
    assert f":{lockout.port}/tcp" in rehearsal.refusal
    for allowed in (False, True):
        with pytest.raises(Exposed, match="it would cut off person on the node"):
            insist(rehearsal, allow_exposure=allowed)


@pytest.mark.parametrize("title", list(LOCKOUTS))
def test_the_same_repair_passes_where_nobody_is_let_in(title: str) -> None:
    rehearsal = tried(LOCKOUTS[title], lets_in=False, connected=False)
    assert (rehearsal.closed, rehearsal.refusal, rehearsal.verdict) == ((), "", RehearsalVerdict.SAFE)
    insist(rehearsal, allow_exposure=False)


@pytest.mark.parametrize("title", ["a direct rule for one address", "a zone's source", "an ipset", "IPv6"])
def test_a_source_that_a_rule_names_is_asked_as_though_nobody_is_there(title: str) -> None:
    """The administrator has gone home, and comes back tomorrow."""
    lockout = LOCKOUTS[title]
    rehearsal = tried(lockout, lets_in=True, connected=False)
    assert f"source that a rule names: {lockout.person} -> " in rehearsal.refusal, rehearsal.refusal
    assert rehearsal.verdict is RehearsalVerdict.REFUSED


def test_who_is_connected_but_not_by_ssh_keeps_the_way_too() -> None:
    table = (
        "nft add table inet t",
        "nft 'add chain inet t in { type filter hook input priority 0; policy drop; }'",
        "nft add rule inet t in ip saddr 10.244.0.0/24 accept",
        "nft add rule inet t in tcp dport 10250 accept",
    )
    with node_with(*table) as node:
        monitor = Connection("198.51.100.9", 5000, NODE_ADDRESS, 10250, inbound=True)
        rehearsal = rehearse(facts_of(node, monitor), [commands("nft flush chain inet t in")], FROM_PODS)
        assert f"connected now: 198.51.100.9 -> {NODE_ADDRESS}:10250/tcp" in rehearsal.refusal
        text = "\n".join(lines(rehearsal, "", verbose=True))
        assert "    tried too: others that are connected: 1" in text
        assert f"    connected now: 198.51.100.9 -> {NODE_ADDRESS}:10250/tcp" in text
        assert "  REFUSED  it would cut off " in text


def test_a_connection_that_a_rule_translates_is_asked_where_it_came_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd listens at 2022, and people come to 8022: a rule of table nat leads there."""
    redirect = "-p tcp --dport 8022 -j REDIRECT --to-ports 2022"
    with node_with(
        f"iptables-nft -t nat -A PREROUTING {redirect}",
        "iptables-nft -A INPUT -p tcp --dport 2022 -m conntrack ! --ctstate DNAT -j DROP",
    ) as node:
        sshd = node.namespaces["node"].run(lambda: socket.create_server((NODE_ADDRESS, 2022)))
        ssh = node.namespaces["outside"].run(
            lambda: socket.create_connection((NODE_ADDRESS, 8022), 2, source_address=(PERSON, 0))
        )
        monkeypatch.setenv("SSH_CONNECTION", f"{PERSON} {ssh.getsockname()[1]} {NODE_ADDRESS} 2022")
        with sshd, ssh, sshd.accept()[0]:
            connections = node.namespaces["node"].run(lambda: Connections.collect(Host())).items
            facts = facts_of(node, *connections)
        rehearsal = rehearse(facts, [commands(f"iptables-nft -t nat -D PREROUTING {redirect}")], FROM_PODS)
    assert [(c.peer, c.port, c.login, c.you) for c in connections] == [(PERSON, 2022, True, True)]
    assert f"ssh from {PERSON} (you) -> {NODE_ADDRESS}:8022/tcp" in rehearsal.refusal


@pytest.mark.parametrize("connected", [True, False])
def test_a_port_of_sshd_that_kube_proxy_would_lead_to_a_pod(connected: bool) -> None:
    """A Service has sshd's port for its NodePort, or an external address that is the node's: a pod answers then."""
    led = ((NODE_ADDRESS, "tcp", 22, ADDRESS[SERVER], 5432),)
    opens = (Access.POD_TO_SERVICE, Access.OUTSIDE_TO_NODE_PORT)
    with node_with() as node:
        me = [Connection(PERSON, 40022, NODE_ADDRESS, 22, inbound=True, login=True, you=True)] if connected else []
        resync = ResyncKubeProxy("kube-system/kube-proxy-x", "iptables", (), False, led)
        rehearsal = rehearse(facts_of(node, *me), [resync], opens)
    who = f"person on the node: ssh from {PERSON} (you)" if connected else "outside to node: outside"
    assert f"it would cut off {who} -> {NODE_ADDRESS}:22/tcp" in rehearsal.refusal


def test_a_login_that_passes_in_no_copy_is_not_rehearsed() -> None:
    """Nothing can be said of what the repair does to it: rules that go by link-layer addresses, for example."""
    with node_with("iptables-nft -A INPUT -p tcp --dport 22 -m mac ! --mac-source 02:aa:bb:cc:dd:ee -j DROP") as node:
        me = Connection(PERSON, 40022, NODE_ADDRESS, 22, inbound=True, login=True, you=True)
        rehearsal = rehearse(facts_of(node, me), [commands("nft list ruleset")], FROM_PODS)
    assert rehearsal.verdict is RehearsalVerdict.NOT_REHEARSED
    with pytest.raises(
        NotRehearsable, match=rf"ssh from {PERSON} \(you\) -> .* passes in none of the copies.*--without"
    ):
        insist(rehearsal, allow_exposure=True)


def test_everybody_but_one_source_is_dropped() -> None:
    crowd = [f"iptables-nft -A INPUT -s 172.16.{n}.0/24 -p tcp --dport 9000 -j ACCEPT" for n in range(40)]
    rule = f"-p tcp --dport 22 ! -s {PERSON} -j DROP"
    with node_with(*crowd, f"iptables-nft -A INPUT {rule}") as node:
        repair = commands(f"iptables-nft -D INPUT {rule}", "iptables-nft -A INPUT -p tcp --dport 22 -j DROP")
        rehearsal = rehearse(facts_of(node), [repair], FROM_PODS)
    assert f"source that a rule names: {PERSON} -> {NODE_ADDRESS}:22/tcp" in rehearsal.refusal


def test_a_terminal_that_outlived_its_connection_keeps_nobody_from_repairing() -> None:
    """A tmux of yesterday: SSH_CONNECTION names somebody who is connected no more, and is let in no more."""
    with node_with(*POLICY_DROP) as node:
        gone = Connection(PERSON, 40022, NODE_ADDRESS, 22, inbound=True, login=True, you=True, now=False)
        assert (
            rehearse(facts_of(node, gone), [commands("nft list ruleset")], FROM_PODS).verdict is RehearsalVerdict.SAFE
        )


def test_a_login_over_a_link_local_address_is_not_rehearsed() -> None:
    me = Connection("fe80::7", 40022, "fe80::10", 22, inbound=True, login=True, you=True)
    with node_with() as node:
        rehearsal = rehearse(facts_of(node, me), [commands("nft list ruleset")], FROM_PODS)
    assert rehearsal.verdict is RehearsalVerdict.NOT_REHEARSED
    assert "ssh from fe80::7 (you) is connected now" in rehearsal.refusal


def test_who_is_connected_over_a_link_local_address_is_told() -> None:
    """A router's BGP session, for example: no copy asks as its address, and nothing was said of it."""
    bgp = Connection("fe80::7", 5000, "fe80::10", 10250, inbound=True)
    with node_with() as node:
        rehearsal = rehearse(facts_of(node, bgp), [commands("nft list ruleset")], FROM_PODS)
    assert rehearsal.verdict is RehearsalVerdict.SAFE
    assert rehearsal.unseen == ("fe80::7 -> [fe80::10]:10250/tcp",)
    assert "fe80::7 -> [fe80::10]:10250/tcp" in "\n".join(lines(rehearsal, ""))


def test_an_address_that_the_node_has_elsewhere_is_asked_as_well() -> None:
    """A virtual address on lo, to which people come."""
    with node_with(
        "ip address add 203.0.113.50/32 dev lo",
        f"iptables-nft -A INPUT -s {PERSON} -j ACCEPT",
        "iptables-nft -A INPUT -d 203.0.113.50 -j DROP",
    ) as node:
        me = Connection(PERSON, 40022, "203.0.113.50", 22, inbound=True, login=True, you=True)
        rehearsal = rehearse(facts_of(node, me), [commands(f"iptables-nft -D INPUT -s {PERSON} -j ACCEPT")], FROM_PODS)
    assert f"ssh from {PERSON} (you) -> 203.0.113.50:22/tcp" in rehearsal.refusal


def test_whom_the_node_is_connected_to_stays_in_reach() -> None:
    with node_with() as node:
        tunnel = Connection("198.51.100.9", 22, NODE_ADDRESS, 40000, inbound=False)
        drop = commands("iptables-nft -A OUTPUT -d 198.51.100.9 -j DROP")
        rehearsal = rehearse(facts_of(node, tunnel), [drop], FROM_PODS)
    assert [way.kind for way in rehearsal.closed] == [Access.NODE_TO_OUTSIDE]
    assert "it would cut off node to outside: node -> 198.51.100.9:22/tcp" in rehearsal.refusal


def test_a_tunnel_over_udp_that_the_node_has_opened_stays_in_reach() -> None:
    """People come by its interface; a copy shows that one as a cable, whatever becomes of the datagrams below it."""
    tracks = "iptables-nft -A OUTPUT -m conntrack --ctstate INVALID -j DROP"
    with node_with(tracks) as node:
        far = node.namespaces["outside"].run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        own = node.namespaces["node"].run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with far, own:
            far.bind(("192.0.2.1", 51820))
            far.settimeout(5)
            own.settimeout(5)
            own.sendto(b"asked", ("192.0.2.1", 51820))
            far.sendto(b"answered", far.recvfrom(9)[1])
            own.recv(9)
            facts = facts_of(node)
    rehearsal = rehearse(facts, [commands("iptables-nft -A OUTPUT -p udp --dport 51820 -j DROP")], FROM_PODS)
    assert "it would cut off node to outside: node -> 192.0.2.1:51820/udp" in rehearsal.refusal


def test_the_twelfth_of_those_who_are_logged_in_is_asked_for() -> None:
    crowd = [Connection(f"198.51.100.{n}", 40022, NODE_ADDRESS, 22, inbound=True, login=True) for n in range(1, 13)]
    with node_with() as node:
        drop = commands("iptables-nft -A INPUT -s 198.51.100.12 -p tcp --dport 22 -j DROP")
        rehearsal = rehearse(facts_of(node, *crowd), [drop], FROM_PODS)
    assert "person on the node: ssh from 198.51.100.12 -> " in rehearsal.refusal


def test_a_source_that_a_routing_rule_names_is_asked_as() -> None:
    before_local = (
        "ip rule add prio 200 lookup local",
        "ip rule del prio 0",
        "ip rule add from 203.0.113.0/24 prohibit prio 100",
    )
    with node_with(*before_local) as node:
        rehearsal = rehearse(facts_of(node), [commands("ip rule del prio 100")], FROM_PODS)
    assert "it would open source that a rule names: 203.0.113.1 -> " in rehearsal.refusal


def test_the_number_of_ways_is_bounded_and_said() -> None:
    members = "\n".join(f"add many 10.{n // 250}.{n % 250}.1" for n in range(3000))
    rules = [f"iptables-nft -A INPUT -s 172.16.{n}.0/24 -j ACCEPT" for n in range(60)]
    crowd = [Connection(f"198.51.100.{n}", 5000, NODE_ADDRESS, 10250, inbound=True) for n in range(1, 200)]
    with node_with(
        f"ipset restore <<'END'\ncreate many hash:ip\n{members}\nEND",
        "iptables-nft -A INPUT -m set --match-set many src -j ACCEPT",
        *rules,
    ) as node:
        rehearsal = rehearse(facts_of(node, *crowd), [commands("nft list ruleset")], FROM_PODS)
    assert rehearsal.tried < 300
    assert "others that are connected: 24 of 199" in rehearsal.sampled
    assert any(words.startswith("sources that rules name: 32 of ") for words in rehearsal.sampled)
    assert "sources that rules name: 32 of " in "\n".join(lines(rehearsal, "", verbose=True))


def test_a_step_that_fails_in_the_copy_is_not_rehearsed() -> None:
    """A direct rule that is not where firewalld puts it in nftables: with FirewallBackend=iptables, for example."""
    with node_with(*POLICY_DROP) as node:
        removal = RemoveDirectRules((DIRECT,), (), None, None)
        rehearsal = rehearse(facts_of(node), [removal], FROM_PODS)
    assert rehearsal.verdict is RehearsalVerdict.NOT_REHEARSED
    assert "the direct rule `ipv4 filter INPUT 0 -s 192.0.2.7 " in rehearsal.refusal
    with pytest.raises(NotRehearsable, match=r"refused: it is not rehearsed: .*--without-rehearsal"):
        insist(rehearsal, allow_exposure=True)
    stored = as_json(rehearsal, "")
    assert stored
    assert stored["verdict"] == "not rehearsed"
    assert "  NOT REHEARSED  " in "\n".join(lines(rehearsal, ""))


def test_no_copy_no_repair() -> None:
    with pytest.raises(NotRehearsable, match="not rehearsed: twin: not all rules could be copied"):
        insist(None, allow_exposure=True, why_not="twin: not all rules could be copied")
    insist(None, allow_exposure=False)  # nothing was to be rehearsed


HARMLESS_DIRECT: Rule = ("ipv4", "filter", "OUTPUT", 0, ("-p", "udp", "--dport", "53", "-j", "ACCEPT"))
KNOCKS = ("-p", "tcp", "--dport", "7000", "-m", "recent", "--set", "--name", "KNOCK", "-j", "ACCEPT")
KNOCK: Rule = ("ipv4", "filter", "INPUT", 0, KNOCKS)
NFT_FIREWALLD = "nft 'add table inet firewalld; add chain inet firewalld x; add rule inet firewalld x accept'"


@pytest.mark.parametrize(
    ("setup", "rule", "says"),
    [
        ((NFT_FIREWALLD,), HARMLESS_DIRECT, ""),
        ((NFT_FIREWALLD,), DIRECT, ""),
        ((NFT_FIREWALLD, *POLICY_DROP), DIRECT, "the policy of chain INPUT is DROP"),
        ((NFT_FIREWALLD, "iptables-nft -A INPUT -p tcp --dport 22 -j REJECT"), DIRECT, "--dport 22 -j REJECT"),
        ((NFT_FIREWALLD, "iptables-nft -N X", "iptables-nft -A INPUT -j X", "iptables-nft -A X -j DROP"), DIRECT,
         "`-A X -j DROP` comes after"),
        ((NFT_FIREWALLD, f"iptables-nft -A INPUT -s {FAR} -m comment --comment 'was -j ACCEPT once' -j DROP"), DIRECT,
         "-j DROP` comes after"),
        ((NFT_FIREWALLD,), KNOCK, "its match `recent` keeps what other rules may ask for"),
        ((), DIRECT, "FirewallBackend=iptables"),
        ((NFT_FIREWALLD, "ip6tables-nft -P INPUT DROP"), ("ipv6", *DIRECT[1:4], ("-s", FAR6, "-j", "ACCEPT")),
         "the policy of chain INPUT is DROP"),
    ],
    ids=["for DNS", "one address", "under DROP", "before a REJECT", "before a chain", "before a comment",
         "port knocking", "iptables", "IPv6"],
)  # fmt: skip
def test_direct_rules_that_may_be_needed_stay(setup: tuple[str, ...], rule: Rule, says: str) -> None:
    program = "iptables-nft" if rule[0] == "ipv4" else "ip6tables-nft"
    with node_with(*setup, f"{program} -I {rule[2]} {' '.join(rule[4])}") as node:
        found = that_matter((rule,), (rule,), node.state(), CLUSTER, ())
    assert [one for one, _ in found] == ([rule] if says else [])
    assert says in "".join(reason for _, reason in found)


def test_a_direct_rule_that_is_not_in_force_is_judged_by_its_chain() -> None:
    with node_with(NFT_FIREWALLD, *POLICY_DROP) as node:
        assert that_matter((), (DIRECT,), node.state(), CLUSTER, ())
        assert that_matter((), (HARMLESS_DIRECT,), node.state(), CLUSTER, ()) == []
