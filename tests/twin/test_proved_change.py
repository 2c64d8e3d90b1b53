"""What an experiment has proved is made where it may be, and else left to a person with the command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.changes.bridge_port import JoinBridge
from netdoctor.changes.link import SetLink
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.diagnosis.experiment import remedies_to_try
from netdoctor.errors import CannotRead
from netdoctor.experiments.interventions import UNNAMED, Situation, files
from netdoctor.facts import Facts
from netdoctor.facts.node.cni import Attachment, Attachments, CniConfig
from netdoctor.facts.node.sysctl import SysctlFiles
from netdoctor.facts.traffic.experiments import Experiments, Tried
from netdoctor.model import Change, NotApplicable
from netdoctor.remedies.host.make_proved_change import make_proved_change
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer, Reply
from netdoctor.twin.walk import Walk
from netdoctor.twin.wire.netlink import attribute
from netdoctor.twin.wire.uapi.if_link import BR_STATE, IFLA_BRPORT
from tests.builders import attachments, cni, experiments, tried
from tests.twin.network import CLUSTER, FLOWS, Node, real
from tests.twin.test_interventions_by_hand import proposals
from tests.worlds import catalogue, world

FORWARDING = SetSysctl("net.ipv4.conf.br0.forwarding", "1", "0")
ODD = tried(UNNAMED, "the bridge does not forward", "sudo sysctl -w x=1", changes=(FORWARDING,))
WANTED = tried(UNNAMED, "a route refuses", "sudo ip route del x")


CONFIG, NO_FILES, ATTACHED = cni(), SysctlFiles({}), attachments()


def planned(
    *cures: tuple[Tried, ...],
    files: SysctlFiles = NO_FILES,
    config: CniConfig | CannotRead = CONFIG,
    attached: Attachments | CannotRead = ATTACHED,
) -> list[Change]:
    return list(make_proved_change((), experiments(*cures), config, attached, files, Host(live=False)))


def test_the_setting_is_made_now_and_kept_at_boot() -> None:
    now, at_boot = planned((ODD,))
    assert now == FORWARDING
    assert at_boot.describe() == "create /etc/sysctl.d/99-netdoctor-br0-forwarding.conf"
    said = SysctlFiles({"/etc/sysctl.d/1.conf": "net.ipv4.conf.br0.forwarding = 1\n"})
    assert planned((ODD,), files=said) == [FORWARDING]


def test_what_somebody_may_have_wanted_is_left() -> None:
    with pytest.raises(NotApplicable, match="whether somebody wants it so is not known: a route refuses"):
        planned((WANTED,))
    with pytest.raises(NotApplicable):
        planned((ODD, WANTED))


ISOLATED = tried(UNNAMED, "port veth1 is isolated", changes=(SetLink("veth1", 7, "isolated", 1, 0),))
FLOODS = tried(UNNAMED, "port veth1 does not flood", changes=(SetLink("veth1", 7, "flood", 0, 1),))
ISOLATING = cni(plugins=({"type": "bridge", "portIsolation": True},))


def test_ports_that_the_cni_isolates_stay_isolated() -> None:
    assert planned((ISOLATED,)) == [SetLink("veth1", 7, "isolated", 1, 0)]
    for config in (ISOLATING, CannotRead("CNI", "permission denied")):
        with pytest.raises(NotApplicable, match="port veth1 is isolated"):
            planned((ISOLATED,), config=config)
        assert planned((FLOODS,), config=config) == [SetLink("veth1", 7, "flood", 0, 1)]


OFF = tried(UNNAMED, "veth1 is not a port of bridge br0", changes=(JoinBridge("veth1", 7, "br0", 3, True),))


def made_for(*ports: str, bridge: str) -> Attachments:
    """What libcni's cache says of one pod."""
    pod: Attachment = replace(ATTACHED.pods[0], bridge=bridge, ports=ports)
    return Attachments((pod,))


def test_a_port_that_the_cni_made_is_put_back() -> None:
    assert planned((OFF,), attached=made_for("veth1", bridge="br0")) == [JoinBridge("veth1", 7, "br0", 3, True)]


@pytest.mark.parametrize(
    "attached",
    [
        made_for(bridge="br0"),  # an older cache, without interfaces
        made_for("veth2", bridge="br0"),
        made_for("veth1", bridge="br-storage"),
        CannotRead("libcni's cache", "permission denied"),
    ],
    ids=str,
)
def test_one_that_nothing_says_the_cni_made_is_left(attached: Attachments | CannotRead) -> None:
    with pytest.raises(NotApplicable, match="veth1 is not a port of bridge br0"):
        planned((OFF,), attached=attached)


def test_what_a_remedy_with_a_name_cures_is_that_remedy_s() -> None:
    assert planned((ODD,), (tried("ip-forward-disabled"),)) == []
    assert planned() == []


def test_a_plan_that_rests_on_the_experiments_is_not_waited_for_in_them() -> None:
    class Forbidden(Facts):
        def get(self, kind: type) -> object:  # type: ignore[override]
            assert kind is not Experiments, "it would wait for itself"
            return super().get(kind)

    facts = Forbidden(world().known(), live=False)
    found, refused = remedies_to_try(catalogue(), facts, None, Host(), {})  # type: ignore[arg-type]
    assert "make-proved-change" not in [each.name for each in found] + [name for name, _ in refused]


def test_a_recording_does_not_bring_changes() -> None:
    stored = experiments((ODD,)).without_commands()
    assert [each.changes for trial in stored.trials for cure in trial.cures for each in cure] == [()]


@real
class TestForwarding:
    def test_where_pods_packets_arrive_it_may_be_made(self, node: Node) -> None:
        node.sh("sysctl -qw net.ipv4.conf.br0.forwarding=0", "sysctl -qw net.ipv4.conf.eth0.forwarding=0")
        (found,) = proposals("forward-at-every-interface", node.state())
        keys = {change.key for change in found.changes if isinstance(change, SetSysctl)}
        assert keys == {"net.ipv4.conf.br0.forwarding", "net.ipv4.conf.eth0.forwarding"}

    def test_elsewhere_it_may_be_off_on_purpose(self, node: Node) -> None:
        node.sh("ip link add vpn0 type veth peer name vpn1", "sysctl -qw net.ipv4.conf.vpn0.forwarding=0",
                "sysctl -qw net.ipv4.conf.br0.forwarding=0",
                "ip link set vpn0 up", "ip route add default dev vpn0 metric 900")  # fmt: skip
        (found,) = proposals("forward-at-every-interface", node.state())
        assert "vpn0" in found.says
        assert found.changes == (FORWARDING,)

    def test_none_where_only_others_are_off(self, node: Node) -> None:
        node.sh("ip link add vpn0 type veth peer name vpn1", "sysctl -qw net.ipv4.conf.vpn0.forwarding=0")
        (found,) = proposals("forward-at-every-interface", node.state())
        assert found.changes == ()

    def test_ipv6_is_a_person_s(self, node: Node) -> None:
        state = node.state()
        off = replace(state, node=replace(state.node, sysctls={"ipv6/conf/all/forwarding": "0"}))
        flow = replace(FLOWS["outside"], destination="2001:db8::1")
        walk = Walk(flow, Reply(Answer.TIMEOUT, 500.0), ())
        (found,) = files()["forward-at-every-interface"](Situation(off, flow, walk, "", CLUSTER))
        assert found.changes == ()


@real
class TestPortsOfTheBridge:
    def test_those_of_pods_are_set_as_usual(self, node: Node) -> None:
        node.sh("bridge link set dev veth0 isolated on", "bridge link set dev veth1 isolated on")
        (found,) = [each for each in proposals("free-bridge-ports", node.state()) if "isolated" in each.says]
        assert [(each.name, each.what, each.value) for each in found.changes if isinstance(each, SetLink)] == [
            ("veth0", "isolated", 0), ("veth1", "isolated", 0),
        ]  # fmt: skip

    def test_another_port_s_is_somebody_s_will(self, node: Node) -> None:
        node.sh("ip link add vm0 type veth peer name vm1", "ip link set vm0 master br0",
                "bridge link set dev vm0 isolated on", "bridge link set dev veth1 isolated on")  # fmt: skip
        (found,) = [each for each in proposals("free-bridge-ports", node.state()) if "isolated" in each.says]
        assert found.changes == ()

    def test_a_disabled_one_forwards(self, node: Node) -> None:
        node.sh("bridge link set dev veth1 state 0")
        (found,) = [each for each in proposals("free-bridge-ports", node.state()) if "does not forward" in each.says]
        assert [each.value for each in found.changes if isinstance(each, SetLink)] == [3]

    def test_a_state_that_spanning_tree_gives_is_left(self, node: Node) -> None:
        state = node.state()
        blocking = [_with_state(body, 4) for body in state.node.links]
        odd = replace(state, node=replace(state.node, links=tuple(blocking)))
        (found,) = [each for each in proposals("free-bridge-ports", odd) if "does not forward" in each.says]
        assert found.changes == ()


def _with_state(body: bytes, state: int) -> bytes:
    """A link's message, with another state of the port."""
    usual, other = (attribute(IFLA_BRPORT.STATE, bytes([each])) for each in (BR_STATE.FORWARDING, state))
    return body.replace(usual, other)
