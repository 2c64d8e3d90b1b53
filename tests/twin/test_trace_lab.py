"""`netdoctor trace` on a real node: healthy, broken in the usual ways, without its API server, and from a recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.conftest import Lab
from tests.schemas import valid

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def node(lab: Lab) -> Lab:
    lab.reset(firewalld="2.3")
    return lab


def trace(lab: Lab, *words: str, status: int) -> dict[str, Any]:
    done = lab.exec(["/opt/netdoctor/bin/netdoctor", "trace", "-o", "json", *words])
    assert done.returncode == status, done.stdout[-600:] + done.stderr
    return valid("trace", done.stdout)


def state_of(lab: Lab) -> str:
    """What a trace must leave as it was."""
    looks = (
        "nft -s list ruleset", "ip -o link | cut -d@ -f1", "ip route", "ls /var/run/netns", "ls -R /var/lib/netdoctor",
        "kubectl get pods -A -o name",
    )  # fmt: skip
    return lab.exec("; ".join(looks)).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("client", "kube-dns", "dns"), "(pod kube-system/coredns-"),
        (("client", "svc/echo", "80"), "(pod default/echo-"),
        (("client", "8.8.8.8", "53"), "at 8.8.8.8:53, outside the node, with source 10.77.0.2"),
        (("host", "kubernetes", "https"), "at 10.77.0.2:8443"),
        (("outside", "node", "30080"), "(pod default/echo-"),
        (("client", "node", "30080"), "(pod default/echo-"),
        (("coredns", "postgres", "5432"), "(pod default/postgres-"),
        (("client", "node", "9"), "and was refused: nothing listens there"),
    ],
)
def test_a_healthy_node(node: Lab, words: tuple[str, ...], says: str) -> None:
    before = state_of(node)
    ending = trace(node, *words, status=0)["ending"]
    assert ending["word"] == "ARRIVED"
    assert says in ending["text"]
    assert state_of(node) == before


def test_the_text_and_the_picture(node: Lab) -> None:
    done = node.exec("/opt/netdoctor/bin/netdoctor trace client kube-dns dns --svg /tmp/way.svg")
    assert (done.returncode, done.stderr) == (0, "picture: /tmp/way.svg\n")
    assert len(done.stdout.splitlines()) <= 40
    assert "(DNAT by KUBE-SEP-" in done.stdout
    assert ElementTree.fromstring(node.must("cat /tmp/way.svg")).tag.endswith("svg")


def test_without_an_api_server(node: Lab) -> None:
    node.must("pkill -STOP kube-apiserver")
    try:
        stored = trace(node, "client", "kube-dns", "53", status=0)
    finally:
        node.must("pkill -CONT kube-apiserver")
    assert "endpoints on other nodes are not in the copy" in stored["not_copied"][0]


def test_a_recording_tells_the_same_elsewhere(node: Lab, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from netdoctor.cli.trace import command

    file = tmp_path / "node.json"
    file.write_text(node.must("/opt/netdoctor/bin/netdoctor record -"))
    done = CliRunner().invoke(command, ["client", "8.8.8.8", "53", "-o", "json", "--facts", str(file)])
    assert done.exit_code == 0, done.output
    there, here = trace(node, "client", "8.8.8.8", "53", status=0), json.loads(done.stdout)
    assert [h["hook"] for h in here["question"][0]["hooks"]] == [h["hook"] for h in there["question"][0]["hooks"]]


@pytest.mark.parametrize(
    ("break_it", "mend", "words", "word", "says"),
    [
        ("firewall-cmd --reload", "firewall-cmd --zone=trusted --add-source=10.244.0.0/16", ("client", "8.8.8.8", "53"),
         "STOPPED", "at inet firewalld filter_FORWARD_POLICIES, handle "),
        ("sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1", ("client", "8.8.8.8", "53"),
         "LOST", "net.ipv4.ip_forward is 0"),
        ("iptables-save -t nat >/tmp/nat; iptables -t nat -F POSTROUTING", "iptables-restore -T nat /tmp/nat",
         ("client", "8.8.8.8", "53"), "LOST", "a pod's own address: nothing masquerades it"),
        ("sysctl -w net.bridge.bridge-nf-call-iptables=0", "sysctl -w net.bridge.bridge-nf-call-iptables=1",
         ("client", "kube-dns", "dns"), "LOST", "net.bridge.bridge-nf-call-iptables is 0"),
        ("nft add table inet mine; nft 'add chain inet mine f { type filter hook forward priority 5; }';"
         "nft add rule inet mine f tcp dport 5432 drop", "nft delete table inet mine",
         ("client", "postgres", "5432"), "STOPPED", "at inet mine f, handle 2: tcp dport 5432 drop: the "
         "sender hears nothing"),
        ("ip route add blackhole 8.8.8.8", "ip route del blackhole 8.8.8.8", ("client", "8.8.8.8", "53"),
         "LOST", "routing has no route for it"),
    ],
    ids=("firewalld reload", "ip_forward", "no masquerade", "bridge netfilter", "a table drops", "blackhole"),
)  # fmt: skip
def test_a_broken_node(node: Lab, break_it: str, mend: str, words: tuple[str, ...], word: str, says: str) -> None:
    node.must(break_it)
    try:
        stored = trace(node, *words, status=1)
    finally:
        node.must(mend)
    assert stored["ending"]["word"] == word
    assert says in stored["ending"]["text"]


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ("nobody 8.8.8.8 53", 2, "no pod of this node is called nobody; there are host, outside, "),
        ("default/ 8.8.8.8 53", 2, "default/ can be any of default/client, "),
        ("client 8.8.8.8 dns", 2, "dns is not a port number"),
        ("client 2001:db8::1 53", 2, "pod default/client has no IPv6 address"),
        ("kube-apiserver 8.8.8.8 53", 2, "has the node's own network: write host"),
        ("client 8.8.8.8 53 --svg /nowhere/x.svg", 2, "/nowhere/x.svg cannot be written"),
    ],
)
def test_bad_input(node: Lab, words: str, status: int, sentence: str) -> None:
    done = node.exec(["/opt/netdoctor/bin/netdoctor", "trace", *words.split()])
    assert done.returncode == status
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
