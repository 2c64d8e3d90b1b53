"""The text of a trace: on walks that are made by hand, and on a small node that is really built."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.output.walk_json import as_json
from netdoctor.output.walk_text import render
from netdoctor.system.traffic import Answer, Reply
from netdoctor.tracing.ends import FlowEnd, Known
from netdoctor.tracing.packet_path import way_of
from netdoctor.tracing.traced import Fate, Traced, trace
from netdoctor.twin.capture import capture
from netdoctor.twin.rule_words import comment_of, purpose, rule_words
from netdoctor.twin.twin import NODE
from netdoctor.twin.walk import REPLY, REQUEST, TraceStep
from tests.twin.walks import (
    ANSWER,
    ASKED,
    DNAT,
    FORWARD,
    TRANSLATED,
    hook,
    lost,
    node_state,
    outwards,
    packet,
    rejected,
    to_service,
    traced,
)

ROOT_AND_TOOLS = os.geteuid() == 0 and all(map(shutil.which, ("ip", "nft", "ipset")))


def text(it: Traced, *, verbose: bool = False) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as captured:
        console.print(render(it, verbose=verbose))
    return captured.get()


def names(it: Traced) -> list[str]:
    return [stay.name for passage in it.way.question for stay in passage.stays]


class TestWay:
    def test_the_bridge_asks_the_ip_layer_in_the_middle_of_its_own_hook(self) -> None:
        way = to_service().way
        assert names(to_service()) == [
            "bridge prerouting", "prerouting", "bridge forward", "forward", "bridge postrouting", "postrouting",
        ]  # fmt: skip
        assert all(stay.passed for stay in way.question[0].stays)
        assert [list(t.changes()) for t in way.question[0].translations] == [[("10.96.0.10:53", "10.244.0.10:53")]]

    def test_a_second_packet_of_the_flow_is_left_out(self) -> None:
        steps = outwards()
        twice = traced([*steps, *steps], Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))
        assert names(twice) == names(lost())

    def test_a_second_packet_that_is_stopped_is_told(self) -> None:
        drop = ("ip", "filter", "FORWARD", 7, "-A FORWARD -m conntrack --ctstate INVALID -j DROP", "drop")
        steps = [*outwards(), *outwards(drop, until="postrouting")]
        it = traced(steps, Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))
        assert str(it.ending) == (
            "STOPPED after its first packet had passed, at ip filter FORWARD, handle 7: -m conntrack --ctstate INVALID "
            "-j DROP: the sender hears nothing"
        )
        assert "a later packet" in text(it)

    def test_a_packet_to_the_node_itself_comes_in_again_at_lo(self) -> None:
        self_to_self = packet("10.77.0.2:40000 > 10.77.0.2:10250", "tcp")
        places = (("output", ">lo"), ("postrouting", ">lo"), ("prerouting", "lo>"), ("input", "lo>"))
        steps = [step for name, interfaces in places for step in hook(REQUEST, name, interfaces, before=self_to_self)]
        it = traced(steps, Reply(Answer.OK, 1), FlowEnd("the node", "10.77.0.2", 10250), source=NODE)
        assert names(it) == ["output", "postrouting", "prerouting", "input"]
        assert str(it.ending) == "ARRIVED at 10.77.0.2:10250, and the answer came back"

    def test_a_rule_of_a_device_comes_before_prerouting(self) -> None:
        out = packet("10.244.0.9:40000 > 8.8.8.8:53", "tcp")
        rule = TraceStep(
            NODE, REQUEST, out, "veth0", "", "netdev", "guard", "ingress", 3, "tcp dport 53 accept", "accept"
        )
        it = traced([rule, *outwards()], Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))
        assert names(it)[:2] == ["device ingress", "bridge prerouting"]
        dropped = traced([replace(rule, verdict="drop")], Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))
        assert dropped.ending.text.startswith("at netdev guard ingress, handle 3: tcp dport 53 accept")


class TestText:
    def test_a_healthy_question_to_a_service(self) -> None:
        said = text(to_service())
        assert len(said.splitlines()) <= 40
        for line in (
            "pod default/client (10.244.0.9) → Service kube-system/kube-dns (10.96.0.10), port 53/udp",
            "    10.96.0.10:53 → 10.244.0.10:53  (DNAT by KUBE-SEP-SISP6ORRA37L3ZYK for kube-system/kube-dns:dns)",
            "    nat: PREROUTING → KUBE-SERVICES → KUBE-SEP-SISP6ORRA37L3ZYK",
            "    ip filter FORWARD: KUBE-FORWARD, no matching rule",
            "    ip filter CNI-FORWARD, handle 16, accepts it: -s 10.244.0.9/32",
            "    10.244.0.10:53 → 10.96.0.10:53  (by conntrack, which knows the flow)",
            "ARRIVED at 10.244.0.10:53 (pod kube-system/coredns-8547bb4c78-bgxb4), and the answer came back",
        ):
            assert line in said.splitlines()

    def test_a_rejection_names_rule_handle_and_what_the_sender_gets(self) -> None:
        said = text(rejected())
        ending = (
            'STOPPED at inet firewalld filter_FORWARD_POLICIES, handle 134: oifname "eth0" reject with icmpx '
            "admin-prohibited: the sender gets ICMP 3/13 from 10.244.0.1"
        )
        assert ending in " ".join(said.split())
        assert "ICMP 3/13 from 10.244.0.1 to 10.244.0.9" in said
        assert "routing             8.8.8.8 is reached by eth0 (default via 10.77.0.1)" in said

    def test_a_policy_is_no_rule(self) -> None:
        policy = ("ip", "filter", "FORWARD", 0, "policy drop", "policy drop")
        it = traced(outwards(policy, until="postrouting"), Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))
        assert str(it.ending) == "STOPPED at ip filter FORWARD: its policy is drop: the sender hears nothing"

    def test_verbose_has_every_step(self) -> None:
        said = text(to_service(), verbose=True)
        for step in to_service().walk.steps:
            assert step.chain in said
        assert "ip nat KUBE-SERVICES handle 99: jump KUBE-SEP-SISP6ORRA37L3ZYK" in said

    def test_secrets_and_control_characters_stay_out(self) -> None:
        rule = (
            "ip",
            "filter",
            "FORWARD",
            7,
            '-A FORWARD -m string --string "token=abc123secret" \x1b[31m-j DROP',
            "drop",
        )
        it = traced(outwards(rule, until="postrouting"), Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))
        said = text(it, verbose=True)
        assert "abc123secret" not in said
        assert "\x1b[31m" not in said

    def test_what_the_copy_lacks_is_told(self) -> None:
        it = to_service()
        node = replace(it.state.node, programs=("eth0 (tc ingress)",))
        it = replace(it, state=replace(it.state, node=node), lacking=("endpoints on other nodes are not in the copy",))
        assert "! endpoints on other nodes are not in the copy" in text(it)
        assert "! not in the copy, and may drop packets: eth0 (tc ingress)" in text(it)

    def test_json_has_the_same(self) -> None:
        stored = as_json(rejected())
        assert stored["stop"]["handle"] == 134
        assert (stored["arrived"], stored["ending"]["word"]) == (False, "STOPPED")
        assert [h["hook"] for h in stored["question"][0]["hooks"]][-1] == "forward"
        assert as_json(to_service())["question"][0]["hooks"][1]["translations"][0]["to"] == "10.244.0.10:53"


class TestLost:
    def test_without_forwarding(self) -> None:
        assert str(lost("forward", ipv4__ip_forward="0").ending) == (
            "LOST after prerouting: this node does not forward packets (no forward, no input); "
            "net.ipv4.ip_forward is 0; the sender hears nothing"
        )

    def test_routing_says_why(self) -> None:
        steps = outwards(until="forward")
        it = traced(steps, Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53), refusal="no route leads to 8.8.8.8")
        assert "no route leads to 8.8.8.8; the sender" in it.ending.text

    def test_without_masquerade(self) -> None:
        assert str(lost().ending) == (
            "LOST after postrouting: it left eth0 with source 10.244.0.9 (a pod's own address: nothing masquerades "
            "it), and no answer came back; the sender hears nothing"
        )

    def test_in_the_middle_of_a_hook(self) -> None:
        steps = outwards(until="postrouting")[:-3]
        it = traced(steps, Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))
        assert it.ending.text.startswith("in forward, behind priority -1: no rule of nftables took it")

    def test_before_the_node(self) -> None:
        it = traced([], Reply(Answer.NET_UNREACHABLE, 1), FlowEnd("", "8.8.8.8", 53))
        assert str(it.ending) == (
            "LOST before the node's first hook: nothing came out of pod default/client; pod default/client has no "
            "route to 8.8.8.8; the sender is told: network unreachable"
        )
        assert "LOST before" in text(it)

    def test_an_answer_that_is_not_translated_back(self) -> None:
        question = [*hook(REQUEST, "prerouting", "bridge>", *DNAT, before=packet("10.244.0.9:40000 > 10.96.0.10:53"),
                          after=TRANSLATED),
                    *hook(REQUEST, "forward", "bridge>bridge", *FORWARD, before=TRANSLATED)]  # fmt: skip
        places = (("prerouting", "veth1>"), ("forward", "veth1>veth0"), ("postrouting", ">veth0"))
        back = [s for name, ports in places for s in hook(REPLY, f"bridge {name}", ports, before=ANSWER)]
        state = node_state(**{"bridge__bridge-nf-call-iptables": "0"})
        target = FlowEnd("Service kube-system/kube-dns", "10.96.0.10", 53)
        it = traced([*question, *back], Reply(Answer.TIMEOUT, 60), target, state)
        assert it.ending.text.startswith(
            "on the way back: the answer comes from 10.244.0.10:53, and 10.96.0.10:53 was asked; the bridge did not "
            "show it to the IP layer (net.bridge.bridge-nf-call-iptables is 0)"
        )


@pytest.mark.parametrize(
    ("rule", "words", "comment", "what_for"),
    [
        ('-A X -m comment --comment "ns/svc:p cluster IP" -m tcp --dport 80 -j Y', "--dport 80 -j Y",
         "ns/svc:p cluster IP", "ns/svc:p cluster IP"),
        ('-A X -m comment --comment plain -j ACCEPT', "-j ACCEPT", "plain", "plain"),
        (r'-A X -s 10.0.0.9/32 -m comment --comment "name: \"bridge\" id: \"cd\"" -j Y', "-s 10.0.0.9/32 -j Y",
         r"name: \"bridge\" id: \"cd\\"[:-1], ""),
        ('tcp dport 5432 drop comment "no more"', "tcp dport 5432 drop", "no more", "no more"),
        ("oifname \"eth0\" accept", 'oifname "eth0" accept', "", ""),
    ],
)  # fmt: skip
def test_a_rule_in_words(rule: str, words: str, comment: str, what_for: str) -> None:
    assert (rule_words(rule), purpose(rule)) == (words, what_for)
    assert comment_of(rule) == comment


RULES = """
table ip nat {
    chain post {
        type nat hook postrouting priority 100
        ip saddr 10.244.0.0/16 oifname "eth0" masquerade
    }
}
table inet guard {
    chain forward {
        type filter hook forward priority 0
        tcp dport 81 drop
        tcp dport 82 reject with icmpx admin-prohibited
    }
}
"""


@pytest.fixture(scope="module")
def real() -> Iterator[Known]:
    """A node with a bridge, one pod and an uplink, in namespaces that are made for the test and taken away."""
    if not ROOT_AND_TOOLS:
        pytest.skip("network namespaces need root, ip, nft and ipset")
    node, pod, outside = (f"ndw{os.getpid()}-{name}" for name in ("node", "pod", "out"))
    lines = [
        *(f"netns add {name}" for name in (node, pod, outside)),
        *(f"-n {name} link set lo up" for name in (node, pod)),
        f"-n {node} link add br0 type bridge", f"-n {node} address add 10.244.0.1/16 dev br0",
        f"-n {node} link set br0 up", f"-n {node} link add veth0 type veth peer name eth0 netns {pod}",
        f"-n {node} link set veth0 master br0 up", f"-n {pod} address add 10.244.0.8/16 dev eth0",
        f"-n {pod} link set eth0 up", f"-n {pod} route add default via 10.244.0.1",
        f"-n {node} link add eth0 type veth peer name far netns {outside}", f"-n {outside} link set far up",
        f"-n {node} address add 10.77.0.2/24 dev eth0", f"-n {node} link set eth0 up",
        f"-n {node} route add default via 10.77.0.1",
    ]  # fmt: skip
    try:
        for line in lines:
            subprocess.run(["ip", *line.split()], check=True, capture_output=True, timeout=10)
        inside = ["ip", "netns", "exec", node]
        subprocess.run([*inside, "nft", "-f", "-"], input=RULES.encode(), check=True, timeout=10)
        subprocess.run([*inside, "sysctl", "-wq", "net.ipv4.ip_forward=1"], check=True, timeout=10)
        state = capture({"default/pod": (f"/run/netns/{pod}", "10.244.0.8")}, node=f"/run/netns/{node}")
        yield Known(state, ClusterAddresses((), ("10.77.0.2",), ("10.244.0.0/16",)), (), (), "small")
    finally:
        for name in (node, pod, outside):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True, timeout=10)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("source", "destination", "port", "word", "says"),
    [
        ("pod", "8.8.8.8", "80", Fate.ARRIVED, "outside the node, with source 10.77.0.2"),
        ("pod", "8.8.8.8", "81", Fate.STOPPED, "at inet guard forward, handle"),
        ("pod", "8.8.8.8", "82", Fate.STOPPED, "the sender gets ICMP 3/13 from 10.244.0.1"),
        ("pod", "node", "9", Fate.ARRIVED, "at 10.77.0.2:9, and was refused: nothing listens there"),
        ("host", "pod", "9", Fate.ARRIVED, "(pod default/pod), and was refused"),
        ("outside", "node", "9", Fate.ARRIVED, "at 10.77.0.2:9, and was refused"),
        ("pod", "10.244.7.7", "80", Fate.LOST, "no neighbour answers for it (ARP)"),
    ],
)
def test_a_node_that_is_really_built(
    real: Known, source: str, destination: str, port: str, word: Fate, says: str
) -> None:
    name, label = real.source(source)
    target = real.target(destination, port)
    flow, address = real.flow(name, target, "tcp")
    it = trace(real.state, FlowEnd(label, address), target, flow, real.node)
    assert it.ending.word is word, text(it, verbose=True)
    assert says in it.ending.text
    assert way_of(it.walk) == it.way
    assert text(it)


class TestUnreadable:
    """A rule of an extension that nft does not know has a handle and a verdict, and no text."""

    def test_a_translation_is_not_said_to_be_conntracks(self) -> None:
        steps = hook(
            REQUEST, "prerouting", "veth0>", ("ip", "nat", "corp", 7, "", "accept"), before=ASKED, after=TRANSLATED
        )
        said = text(traced([*steps, *outwards()], Reply(Answer.TIMEOUT, 60), FlowEnd("", "10.96.0.10", 53)))
        assert "(by a rule of nat corp: its text cannot be read)" in said
        assert "conntrack" not in said

    def test_it_is_not_said_to_accept_everything(self) -> None:
        steps = hook(REQUEST, "forward", "bridge>eth0", ("ip", "filter", "FORWARD", 9, "", "accept"), before=ASKED)
        said = text(traced(steps, Reply(Answer.TIMEOUT, 60), FlowEnd("", "10.96.0.10", 53)))
        assert "ip filter FORWARD, handle 9, accepts it: its text cannot be read" in said
        assert "everything" not in said

    def test_one_that_drops_is_named_all_the_same(self) -> None:
        steps = hook(REQUEST, "forward", "bridge>eth0", ("ip", "filter", "FORWARD", 9, "", "drop"), before=ASKED)
        it = traced(steps, Reply(Answer.TIMEOUT, 60), FlowEnd("", "10.96.0.10", 53))
        assert "ip filter FORWARD, handle 9: its text cannot be read" in it.ending.text
        unknown = traced(
            [replace(s, handle=0) for s in steps], Reply(Answer.TIMEOUT, 60), FlowEnd("", "10.96.0.10", 53)
        )
        assert "ip filter FORWARD, a rule whose handle is not known: its text" in unknown.ending.text
        assert "policy" not in unknown.ending.text
